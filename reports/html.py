"""The report as one self-contained page: pictures inside, no external address, every text escaped."""

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from .ledger import in_words as named_in_words
from .patterns import COUNTED
from .patterns import SHOWN as COMPARED
from .plots import storms_svg, timeline_svg
from .strays import in_words as strays_in_words
from .terminal import CLOSED, NOT_LISTED, OF_ALL, SHOWN, milliseconds

MOST_CURVES = 8
TEMPLATE = Path(__file__).with_name("report.html.jinja")


def render(report: dict[str, Any]) -> str:
    """The page."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
                                     lstrip_blocks=True)  # fmt: skip
    environment.filters |= {"strays": strays_in_words, "ms": milliseconds, "s": _seconds, "share": _share, "n": _number}
    picture = timeline_svg(
        report["timeline"],
        report["run"]["load_start_s"],
        report["run"]["load_end_s"],
        report["fitness"]["unfit_seconds"],
    )
    curves = storms_svg(report["storms"][:MOST_CURVES]) if report["storms"] else ""
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        r=report,
        picture=Markup(picture),
        curves=Markup(curves),
        shown=SHOWN,
        of_all=OF_ALL,
        compared=COMPARED,
        counted=COUNTED,
        not_listed=NOT_LISTED,
        closed=CLOSED,
        rooms_unjudged=named_in_words(report),
    )


def _seconds(value_ms: float | None) -> str:
    return "–" if value_ms is None else f"{value_ms / 1000:.1f} s"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else f"{value:g}"
