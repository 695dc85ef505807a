"""Files that come with Squall (plans, contracts, budgets): at a checkout's root, in a wheel under `harness/shipped`."""

from pathlib import Path

from ..errors import UsageError

PACKAGE = Path(__file__).resolve().parents[1]
PLACES = (PACKAGE / "shipped", PACKAGE.parent)


def find_shipped(kind: str, name: str) -> Path:
    """The path of a shipped file, `kind` being plans, contracts or budgets.

    Raises:
        UsageError: there is none; says which there are.
    """
    for place in PLACES:
        if (path := place / kind / name).is_file():
            return path
    raise UsageError(f'there is no "{name}" among the {kind}; there are: {", ".join(shipped(kind)) or "none"}')


def find(path: str, kind: str, suffix: str = ".toml") -> Path:
    """A file given by path or, when no such file exists, by the name of a shipped one.

    Raises:
        UsageError: neither exists.
    """
    given = Path(path)
    if given.exists() or given.suffix or len(given.parts) > 1:
        return given
    return find_shipped(kind, path + suffix)


def shipped(kind: str) -> list[str]:
    """The names of what is shipped, without their suffix."""
    return sorted({file.stem for place in PLACES for file in (place / kind).glob("*.toml")})
