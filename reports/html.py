"""The report as one self-contained page: pictures inside, no external address, every text escaped.

Each section has a template of its name in `page/`; they are shown in the order of the report's fields.
"""

from pathlib import Path

import jinja2
import msgspec
from markupsafe import Markup

from . import sentences, words
from .compared import COUNTS
from .compared import FIGURES as COMPARED
from .figures import FIGURES
from .plots import storms_svg, timeline_svg
from .report import Report
from .terminal.lines import milliseconds

MOST_CURVES = 8
TEMPLATES = Path(__file__).with_name("page")


def render(report: Report) -> str:
    """The page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ms": milliseconds,
        "s": _seconds,
        "share": _share,
        "n": _number,
        "number": _short,
        "json": _json,
    }
    run = report.run
    shown = {*report.fitness.reasons, *(f"{finding.name}: {finding.text}" for finding in report.findings)}
    picture = timeline_svg(report.timeline, run.load_start_s, run.load_end_s, report.fitness.unfit_seconds)
    return environment.get_template("page.html.jinja").render(
        r=report,
        sections=report.__struct_fields__,
        picture=Markup(picture),
        curves=Markup(storms_svg(report.storms[:MOST_CURVES]) if report.storms else ""),
        figures=FIGURES.values(),
        compared=COMPARED,
        counted=COUNTS,
        words=words,
        rooms_unjudged=sentences.rooms(report.ledger, report.evidence, report.manifest),
        doubts=[reason for reason in report.verdict.reasons if reason not in shown],
        judged=sentences.judged(report.verdict),
        unjudged=sentences.unjudged(report.not_judged),
        refused=sentences.refused(report.requests),
        unsent=sentences.unsent(report.rejections),
        unmeasured=sentences.unmeasured(report.rejections),
        bucket_rows=sentences.bucket_rows(report.rejections.limit) if report.rejections.limit else [],
        strays=sentences.unrecognised(report.strays),
    )


def _json(section: msgspec.Struct) -> str:
    """A section as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(section), indent=2).decode()


def _seconds(value_ms: float | None) -> str:
    return "–" if value_ms is None else f"{value_ms / 1000:.1f} s"


def _short(value: float) -> str:
    return f"{value:g}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else f"{value:g}"
