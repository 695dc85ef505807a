import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from harness.errors import UsageError
from harness.record.row import Gauge, Kind, Outcome
from reports.figures import percentiles
from reports.gate import judge, load_budget, look_up
from reports.gate import show as show_gate
from reports.html import render
from reports.percentile import rank
from reports.terminal import show
from reports.write import write
from tests.fault_numbers import Fault

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
    assert (found["p50"], found["p95"], found["p99"], found["p999"], found["max"]) == (50, 95, 99, None, 100)
    assert percentiles(np.array([], np.int64)) == {
        "count": 0, "p50": None, "p95": None, "p99": None, "p999": None, "max": None,
    }  # fmt: skip


@pytest.mark.parametrize(("parts", "of"), [(1, 2), (19, 20), (99, 100), (999, 1000)])
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(parts, of):
    for count in range(1, 20_000):
        assert rank(count, parts / of) == -(-parts * count // of) - 1


def test_every_field_of_the_report_is_described(report):
    text = (DOCS / "report.md").read_text()
    for key, value in report.items():
        assert f"`{key}`" in text, key
        if isinstance(value, dict) and key not in ("manifest", "finding_counts", "outcomes"):
            for inner in value:
                assert f"`{inner}`" in text, f"{key}.{inner}"
    for name in report["finding_counts"]:
        assert f"`{name}`" in text, name


class Addresses(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href", "xlink:href") and value]


def test_the_page_is_whole_in_itself(clean):
    report = clean.report()
    assert report == json.loads(json.dumps(report))
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
    console = Console(width=100, record=True)
    show(report, console)
    text = console.export_text()
    assert "fit" in text
    assert re.search(r"response +\d+ ", text)
    assert "lost" in text
    assert max(map(len, text.splitlines())) <= 140


def test_brackets_in_a_name_or_a_text_are_no_markup(make):
    report = make(name="x[/red]y [b]").member(0).report()
    console = Console(width=200, record=True)
    show(report, console)
    text = console.export_text()
    assert "x[/red]y [b] complete" in text
    assert "the plan has no [observe] url" in text


def test_frames_of_no_use_are_named_with_an_example(make):
    run = make().member(0)
    run.sample(Gauge.UNMATCHED, 3, 4000).sample(Gauge.UNMATCHED, 7, 5000)
    run.recorder.evidence(1, "unmatched", 0, 'none of ack: {"t": "sayd"}')
    report = run.report()
    assert report["strays"]["unmatched"] == 7
    console = Console(width=200, record=True)
    show(report, console)
    assert (
        'frames    7 arrived that were of no use to us; the first: none of ack: {"t": "sayd"}' in console.export_text()
    )


def test_what_was_sent_and_what_became_of_it_add_up_on_the_terminal(make):
    run = make().member(0, 1).fault(0, Fault.MALFORMED, 3000)
    run.probe(0, 1, 3000).probe(0, 2, 3100, code=429).probe(0, 3, 3200, Outcome.EXPIRED)
    run.row(Kind.PROBE, Outcome.CLOSED, session=0, seq=4, room=0, sent=3300, peer=1)
    console = Console(width=200, record=True)
    show(run.report(), console)
    (line,) = [line for line in console.export_text().splitlines() if line.startswith("malformed")]
    first, *others = map(int, re.findall(r"\d+", line))
    assert first == sum(others) == 4


def test_a_budget_is_judged_clause_by_clause(report, tmp_path):
    path = budget(
        tmp_path,
        """
        [[clause]]
        figure = "figures.response.untouched.p50"
        max = 100
        [[clause]]
        figure = "ledger.all.owed"
        min = 1e9
        [[clause]]
        figure = "finding_counts.lost"
        equals = 0
        """,
    )
    judgement = judge(report, path)
    assert [one.passed for one in judgement.clauses] == [True, False, True]
    assert (judgement.verdict, judgement.exit_code) == ("fail", 1)
    assert judgement.clauses[0].margin == 98
    console = Console(width=120, record=True)
    show_gate(judgement, console)
    text = console.export_text()
    assert "FAIL" in text
    assert ">= 1e+09" in text


def test_a_clause_on_an_absent_figure_fails(report, tmp_path):
    path = budget(tmp_path, '[[clause]]\nfigure = "figures.reject.all.p50"\nmax = 1e9\n')
    judgement = judge(report, path)
    assert judgement.clauses[0].value is None
    assert judgement.verdict == "fail"
    assert look_up(report, "figures.no.such") is None


def test_a_mistyped_figure_is_told_from_one_that_was_not_measured(report, tmp_path):
    path = budget(
        tmp_path,
        '[[clause]]\nfigure = "figures.responce.all.p99"\nmax = 1\n'
        '[[clause]]\nfigure = "figures.delivery.all.p999"\nmax = 1\n',
    )
    report["figures"]["delivery"]["all"]["p999"] = None
    judgement = judge(report, path)
    assert [one.near for one in judgement.clauses] == ["figures.response.all.p99", ""]
    assert judgement.verdict == "fail"
    console = Console(width=120, record=True)
    show_gate(judgement, console)
    said = 'this report has no "figures.responce.all.p99"; did you mean "figures.response.all.p99"?'
    assert said in console.export_text()


def test_what_passes_although_it_was_cut_short_says_so(report, tmp_path):
    path = budget(tmp_path, '[[clause]]\nfigure = "ledger.all.lost"\nmax = 100\n')
    report["fitness"]["notes"] = ["the run was interrupted: its figures are of 5.0 s of load where 20 s were planned"]
    judgement = judge(report, path)
    console = Console(width=120, record=True)
    show_gate(judgement, console)
    assert judgement.verdict == "pass"
    assert "of 5.0 s of load where 20 s were planned" in console.export_text()


def test_an_unfit_run_is_not_judged(make, tmp_path):
    judgement = judge(make().report(), BUDGETS / "default.toml")
    assert (judgement.verdict, judgement.exit_code) == ("unfit", 3)


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
        section, *rest = clause.figure.split(".")
        found = report[section]
        for name in rest:
            assert name in found, clause.figure
            found = found[name]


def pages(report):
    """What the terminal and the page say."""
    console = Console(record=True, width=300, file=io.StringIO())
    show(report, console)
    return console.export_text(), render(report)


def test_a_closed_loop_is_named_everywhere_and_an_open_one_nowhere(make):
    think = {"sessions": 4, "rooms": 2, "ramp_s": 1.0, "shape": {"shape": "think", "think_time_s": 1.0}}
    closed = make(load=think).member(0, 1, 2, 3).chatter().report()
    assert closed["run"]["loop"] == "closed"
    for page in pages(closed):
        assert "not free of coordinated omission" in page
        assert ", free of coordinated omission" not in page


def test_an_open_loop_claims_to_be_free_of_coordinated_omission(report):
    assert report["run"]["loop"] == "open"
    terminal, page = pages(report)
    assert "closed loop" not in terminal
    assert ", free of coordinated omission" in page


def test_growth_is_told_on_the_terminal_and_the_page(report):
    grown = {
        "whose": "endpoint", "process": 0, "what": "resident_mib", "first": 100.0, "last": 130.0, "per_h": 30.5,
        "low_per_h": 28.25, "high_per_h": 33.0, "judged_s": 3600.0, "samples": 720, "verdict": "grows",
    }  # fmt: skip
    terminal, page = pages(report | {"growth": [grown]})
    assert "endpoint memory: grows, 100 to 130 MiB, +30.5 an hour (95 %: +28.2 to +33)" in terminal
    for text in ("30.5", "28.25", "grows"):
        assert f">{text}<" in page
