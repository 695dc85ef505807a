import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.record.row import Gauge, Kind, Outcome
from reports import words
from reports.budget import EVERY_FINDING, RENAMED, load_budget
from reports.percentile import percentiles, rank
from reports.write import write
from tests.fault_numbers import Fault

from .conftest import on_the_page, on_the_terminal

DOCS = Path(__file__).parents[2] / "docs"
BUDGETS = Path(__file__).parents[2] / "budgets"


@pytest.fixture
def report(clean):
    clean.fault(3, Fault.DROP_RESET, 8000).close(3, 8000, code=1006)
    return clean.report()


def budget(tmp_path, text):
    path = tmp_path / "b.toml"
    path.write_text(text)
    return path


def test_percentiles_are_order_statistics_and_absent_without_enough_samples():
    import numpy as np

    found = percentiles(np.arange(1, 101) * 1_000_000)
    assert (found.p50, found.p95, found.p99, found.p999, found.max) == (50, 95, 99, None, 100)
    nothing = percentiles(np.array([], np.int64))
    assert nothing.count == 0
    assert {nothing.p50, nothing.p95, nothing.p99, nothing.p999, nothing.max} == {None}


@pytest.mark.parametrize(("parts", "of"), [(1, 2), (19, 20), (99, 100), (999, 1000)])
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(parts, of):
    for count in range(1, 20_000):
        assert rank(count, parts / of) == -(-parts * count // of) - 1


class Addresses(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href", "xlink:href") and value]


def test_the_page_is_whole_in_itself(clean):
    clean.report()
    write(clean.path)
    page = (clean.path / "report.html").read_text()
    addresses = Addresses()
    addresses.feed(page)
    assert [address for address in addresses.found if not address.startswith("#")] == []
    assert "url(http" not in page
    assert "<svg" in page


def test_what_the_endpoint_said_is_escaped(clean):
    clean.recorder.evidence(1, "error", 1, "<script>alert(1)</script>")
    clean.report()
    write(clean.path)
    assert "<script>" not in (clean.path / "report.html").read_text()


def test_the_summary_names_the_verdict_the_figures_and_the_ledger(report):
    text = on_the_terminal(report, 100)
    assert f"{report['run']['name']}: {report['verdict']['verdict']} by the budget default; generator fit" in text
    assert re.search(r"response +\d+ ", text)
    assert "lost" in text


def test_brackets_in_a_name_or_a_text_are_no_markup(make):
    report = make(name="x[/red]y [b]").member(0).report()
    text = on_the_terminal(report)
    assert "x[/red]y [b]: " in text
    assert words.NOT_OBSERVED in text


def test_frames_of_no_use_are_named_with_an_example(make):
    run = make().member(0)
    run.sample(Gauge.UNMATCHED, 3, 4000).sample(Gauge.UNMATCHED, 7, 5000)
    run.recorder.evidence(1, "unmatched", 0, 'none of ack: {"t": "sayd"}')
    report = run.report()
    assert report["strays"]["unmatched"] == 7
    example = words.STRAY_EXAMPLE.format(text='none of ack: {"t": "sayd"}')
    assert words.STRAY.format(count=7, example=example) in on_the_terminal(report)


def test_what_was_sent_and_what_became_of_it_add_up_on_the_terminal(make):
    run = make().member(0, 1).fault(0, Fault.MALFORMED, 3000)
    run.probe(0, 1, 3000).probe(0, 2, 3100, code=429).probe(0, 3, 3200, Outcome.EXPIRED)
    run.row(Kind.PROBE, Outcome.CLOSED, session=0, seq=4, room=0, sent=3300, peer=1)
    text = on_the_terminal(run.report())
    (line,) = [line for line in text.splitlines() if line.startswith("malformed")]
    first, *others = map(int, re.findall(r"\d+", line))
    assert first == sum(others) == 4


def test_a_figure_that_no_report_has_is_refused_with_the_one_that_was_probably_meant(tmp_path):
    path = budget(tmp_path, '[[clause]]\nfigure = "figures.responce.all.p99"\nmax = 1\n')
    with pytest.raises(UsageError, match=r'did you mean "figures\.response\.all\.p99"'):
        load_budget(path)


UNMEASURED = (
    "figures.response.all.p999",
    "finding_counts.memory-grows",
    "outcomes.login.expired",
    "stale.by_method.half-open.detected_at_most.p95",
    "recovery.by_cause.us.lost",
    "fitness.limits.cpu_share",
)


@pytest.mark.parametrize("figure", UNMEASURED)
def test_a_figure_that_was_not_measured_is_no_mistake(tmp_path, figure):
    assert load_budget(budget(tmp_path, f'[[clause]]\nfigure = "{figure}"\nmax = 1\n')).clause[0].figure == figure


@pytest.mark.parametrize("figure", ["ledger", "run.name", "run.skipped", "figures.response", "ledger.all.lost.x", ""])
def test_what_is_no_number_is_no_figure(tmp_path, figure):
    with pytest.raises(UsageError):
        load_budget(budget(tmp_path, f'[[clause]]\nfigure = "{figure}"\nmax = 1\n'))


def test_no_old_name_is_a_key_of_today(report):
    def keys(found):
        if isinstance(found, dict):
            yield from found
        for inner in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
            yield from keys(inner)

    assert not RENAMED.keys() & set(keys({name: part for name, part in report.items() if name != "manifest"}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = [", "is not TOML"),
        ("clause = []", "at least one"),
        ('[[clause]]\nfigure = "x"', "needs max, min or equals"),
        ('[[clause]]\nfigure = "x"\nmaxx = 3', 'did you mean "max"'),
        ('[[clause]]\nfigure = "x"\nmax = "three"', "max"),
    ],
)
def test_a_wrong_budget_is_told_in_one_line(tmp_path, text, said):
    with pytest.raises(UsageError, match=said) as caught:
        load_budget(budget(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", sorted(BUDGETS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_budget_names_figures_that_exist(path, report):
    for clause in load_budget(path).clause:
        if clause.figure == EVERY_FINDING:
            continue
        section, *rest = clause.figure.split(".")
        found = report[section]
        for name in rest:
            assert name in found, clause.figure
            found = found[name]


def pages(report):
    """What the terminal and the page say."""
    return on_the_terminal(report, 300), on_the_page(report)


def test_a_closed_loop_is_named_everywhere_and_an_open_one_nowhere(make):
    think = {"sessions": 4, "rooms": 2, "ramp_s": 1.0, "shape": {"shape": "think", "think_time_s": 1.0}}
    closed = make(load=think).member(0, 1, 2, 3).chatter().report()
    assert closed["run"]["loop"] == "closed"
    for page in pages(closed):
        assert words.CLOSED_LOOP[1:] in page
        assert ", free of coordinated omission" not in page


def test_an_open_loop_claims_to_be_free_of_coordinated_omission(report):
    assert report["run"]["loop"] == "open"
    terminal, page = pages(report)
    assert words.CLOSED_LOOP not in terminal
    assert ", free of coordinated omission" in page


def test_growth_is_told_on_the_terminal_and_the_page(report):
    grown = {
        "whose": "endpoint", "process": 0, "what": "resident_mib", "first": 100.0, "last": 130.0, "per_h": 30.5,
        "low_per_h": 28.25, "high_per_h": 33.0, "judged_s": 3600.0, "samples": 720, "verdict": "grows",
    }  # fmt: skip
    terminal, page = pages(report | {"growth": [grown]})
    assert "endpoint memory: grows, 100 to 130 MiB, +30.5" in terminal
    for text in ("30.5", "28.25", "grows"):
        assert f">{text}<" in page


@pytest.mark.parametrize(("errors", "shown"), [(0, 0), (48, 48), (49, 48), (50, 48), (90, 48)])
def test_many_texts_of_one_kind_leave_room_for_the_others(clean, errors, shown):
    for number in range(errors):
        clean.recorder.evidence(number, "error", 400, f"text {number}")
    clean.recorder.evidence(100, "closed", 1011, "crashed")
    clean.recorder.evidence(101, "unmatched", 0, "none of ack")
    lines = clean.report()["evidence"]
    assert [line["text"] for line in lines if line["kind"] == "error"] == [f"text {n}" for n in range(shown)]
    assert [line["text"] for line in lines[shown:]] == ["crashed", "none of ack"]
