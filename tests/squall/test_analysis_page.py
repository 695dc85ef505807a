"""docs/analysis.md: its code runs on a recorded run, and its tables name every column."""

import re
from pathlib import Path

import matplotlib
import pytest

from harness.record.row import Gauge
from squall import open_run
from tests.reports.conftest import Made

PAGE = (Path(__file__).parents[2] / "docs" / "analysis.md").read_text()
HALF_OPEN = 4
LOST = {(1, 0, 4), (1, 0, 5), (2, 0, 5), (0, 2, 3)}


@pytest.fixture
def path(tmp_path):
    """Two rooms, the second slower; four losses; one half-open connection in the middle."""
    load = {"sessions": 6, "rooms": 2, "ramp_s": 1.0, "duration_s": 20.0}
    made = Made(tmp_path, load=load).member(0, 1, 2).member(3, 4, 5, room=1)
    made.chatter((0, 1, 2), lose=LOST).fault(1, HALF_OPEN, 5000).lift(1, HALF_OPEN, 6000)
    for seq in range(1, 11):
        made.publish(3, seq, 2000 + seq * 500, room=1)
        for receiver in (3, 4, 5):
            made.deliver(receiver, 3, seq, 2050 + seq * 500 + seq, room=1)
    made.sample(Gauge.LAG_P99_NS, 10**6)
    made.report()
    return made.path


@pytest.fixture
def answers(path, tmp_path, monkeypatch):
    """What the last line of each block gives, in the order of the page."""
    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    code = PAGE.replace("runs/20261124-051500-demo-k3x9", str(path))
    names, found = {}, []
    for block in re.findall(r"```python\n(.*?)```", code, re.DOTALL):
        *lines, last = block.rstrip().split("\n")
        exec(compile("\n".join(lines), "analysis.md", "exec"), names)
        if re.match(r"\w+ = ", last):
            exec(compile(last, "analysis.md", "exec"), names)
            found.append(None)
        else:
            found.append(eval(compile(last, "analysis.md", "eval"), names))
    return found


def test_each_question_of_the_page_is_answered(answers, tmp_path):
    _, worst, share, lost, messages, by_size, around, _ = answers
    assert worst.index[0] == "room-1" and worst.iloc[0] > 50
    assert share.index[0] == "room-0" and share.iloc[0] == pytest.approx(4 / 76)  # of 90, but for those after the drop
    assert lost[["seq", "receiver"]].to_numpy().tolist() == [[4, 1], [5, 1], [5, 2]]
    assert messages.loc[5].tolist() == [3, 1]
    assert by_size["count"].to_dict() == {3: 86 + 30}
    assert around.index.tolist() == ["before", "after"] and (around[0.5] == 2.0).all()
    assert (tmp_path / "deliveries.png").stat().st_size > 1000


@pytest.mark.parametrize("name", ["operations", "deliveries", "connections", "faults", "owed and lost"])
def test_the_page_names_every_column_in_its_order(path, name):
    section = PAGE.partition(f"### {name}\n")[2].partition("\n### ")[0]
    cells = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(cells)) == list(getattr(open_run(path), name.split()[0]))


def test_the_page_names_gauges_that_there_are(path):
    section = PAGE.partition("### samples\n")[2].partition("\n### ")[0]
    gauges = {gauge.name.lower().replace("_ns", "_ms") for gauge in Gauge}
    assert set(re.findall(r"`(\w+)`", section)) - {"process", "at_s"} <= gauges
    assert list(open_run(path).samples)[:2] == ["process", "at_s"]


def test_the_page_names_every_attribute(path):
    table = PAGE.partition("| attribute")[2].partition("\n\n")[0]
    public = {name for name in dir(open_run(path)) if not name.startswith("_")}
    assert set(re.findall(r"`run\.(\w+)`", table)) == public - {"path"}
