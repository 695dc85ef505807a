"""The parts of the documents that the code generates: `python -m squall.docs` writes all of them.

A part is the text between two comments, `<!-- name -->` and `<!-- /name -->`, in one of the `PAGES`. To add one, write
a function that returns Markdown and add it to `PARTS`; a test fails while a document is stale. Those of docs/report.md
come from `reports.documented`.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from msgspec import NODEFAULT
from msgspec.structs import fields

from harness.endpoint.defects import REGISTRY as DEFECTS
from harness.plan.chaos import Act, Drop
from harness.plan.fault_registry import FaultKind, faults

from . import reporting

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", "docs/*.md")


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def fault_table() -> str:
    """Every fault: how a plan asks for it, its own options, and what the endpoint sees."""
    return table(
        ("number", "in the plan", "what happens", "the endpoint's kernel sees", "its code sees"),
        (
            (str(kind.number), _asked_for(kind), kind.summary, kind.kernel_sees, kind.code_sees)
            for kind in faults().values()
        ),
    )


def _asked_for(kind: FaultKind) -> str:
    how = "" if kind.tag == kind.name else f', `how = "{kind.name}"`'
    options = "".join(f", `{option}`" for option in _options(kind.options))
    return f'`fault = "{kind.tag}"`{how}{options}'


def _options(options: type[Act]) -> Iterator[str]:
    """The keys that a fault has beside those of every fault, with their defaults."""
    common = {*Act.__struct_fields__, *Drop.__struct_fields__}
    for field in fields(options):
        if field.name not in common:
            yield field.name if field.default in (None, NODEFAULT) else f"{field.name} = {field.default}"


def defect_table() -> str:
    """Every defect of the reference endpoint, with its default value."""
    return table(
        ("defect", "the endpoint"),
        (
            (f"`{name}`" if one.default is None else f"`{name}={one.default:g}`", one.summary)
            for name, one in DEFECTS.items()
        ),
    )


def counts() -> str:
    """How many things of each kind there are, for the README."""
    return (
        f"Squall injects {len(faults())} kinds of fault, judges {len(reporting.build.rules())} findings and measures "
        f"{len(reporting.figures.FIGURES)} figures.\n"
        f"To check what it finds, give the reference endpoint one of its {len(DEFECTS)} defects."
    )


PARTS: dict[str, Callable[[], str]] = {"faults": fault_table, "defects": defect_table, "counts": counts}
"""What generates the parts that are not about the report."""


@cache
def parts() -> dict[str, str]:
    """Every generated part by the name in its comments."""
    return {name: make() for name, make in PARTS.items()} | reporting.documented.parts()


def rendered(text: str) -> str:
    """A document with its generated parts as they should be."""
    for name, part in parts().items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if pattern.search(text):
            made = f"{begin}\n{part}\n{end}"
            text = pattern.sub(made.replace("\\", r"\\"), text)
    return text


def pages() -> list[Path]:
    """The documents that may have generated parts."""
    return sorted(path for pattern in PAGES for path in ROOT.glob(pattern))


def stale() -> list[Path]:
    """The documents that are not as they should be."""
    return [path for path in pages() if rendered(path.read_text(encoding="utf-8")) != path.read_text(encoding="utf-8")]


def main() -> None:
    """Write every part that is not up to date, and print which documents changed."""
    for path in stale():
        path.write_text(rendered(path.read_text(encoding="utf-8")), encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
