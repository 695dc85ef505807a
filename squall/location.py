"""Finds our own packages by where they are, not by `sys.path`: a user's folder called `reports` must not replace ours.

Locust, `python -m` and notebooks put the working directory first on `sys.path`. `harness` keeps its name (`claim`);
`reports` is loaded under a private name (`load`), so a user's own `reports` stays importable beside it.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
PLACES = (HERE, HERE.parent)
"""In a wheel `reports` is inside this package, in a checkout beside it."""


def claim(name: str) -> None:
    """Make our package the one that `import name` gives.

    Raises:
        ImportError: another package of that name was imported before.
    """
    if name not in sys.modules:
        _load_package(name, name)
        return
    found = [Path(each).resolve() for each in getattr(sys.modules[name], "__path__", ())]
    if not any(place / name in found for place in PLACES):
        where = found[0] if found else getattr(sys.modules[name], "__file__", "?")
        raise ImportError(
            f"{where} was imported as `{name}` before squall, which has a package of that name: rename it"
        )


def load(module: str) -> ModuleType:
    """One of our modules, for example `reports.build`, whatever else is called `reports`.

    Raises:
        ModuleNotFoundError: we have no such module.
    """
    package, _, rest = module.partition(".")
    alias = f"squall_{package}"
    if alias not in sys.modules:
        _load_package(package, alias)
    return importlib.import_module(f"{alias}.{rest}" if rest else alias)


def _load_package(folder: str, name: str) -> None:
    for place in PLACES:
        file = place / folder / "__init__.py"
        if file.is_file():
            spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=[str(file.parent)])
            if spec is not None and spec.loader is not None:
                module = importlib.util.module_from_spec(spec)
                sys.modules[name] = module
                try:
                    spec.loader.exec_module(module)
                except BaseException:
                    del sys.modules[name]
                    raise
                return
    raise ModuleNotFoundError(f"Squall is not installed completely: its package {folder} is missing")
