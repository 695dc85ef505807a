"""What the observer keeps of a list that names none of our connections."""

import json

import pytest

from harness.observe.connection_list import EXAMPLE_CHARS, Observer
from harness.plan import Endpoint, Observe
from harness.transport.clock import FakeClock
from harness.wire.exchange import Answer


class Evidence:
    """A recorder that keeps evidence."""

    def __init__(self):
        self.lines = []

    def row(self, *_args, **_columns):
        pass

    def evidence(self, _at_ns, kind, _code, text):
        self.lines.append((kind, text))


def looked(monkeypatch, *lists):
    """The evidence of one look at each of these lists of keys."""
    observer = Observer(Observe(url="http://127.0.0.1:1/list"), Endpoint(url="ws://127.0.0.1:1/"), "k3", 8)
    answers = iter(lists)

    def get():
        return Answer(200, (), json.dumps({"connections": [{"clientId": key} for key in next(answers)]}).encode())

    monkeypatch.setattr(observer, "_get", get)
    recorder = Evidence()
    for _ in lists:
        observer.look(FakeClock(), recorder)
    return recorder.lines


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_the_first_three_names_of_others_are_kept(monkeypatch, count):
    names = [f"other-{number}" for number in range(count)]
    kept = [("listed", json.dumps(name)) for name in names[:3]]
    assert looked(monkeypatch, names) == kept
    assert looked(monkeypatch, *[[name] for name in names]) == kept


def test_of_a_list_that_names_one_of_ours_nothing_is_kept(monkeypatch):
    assert looked(monkeypatch, ["other", "k3-7-0"]) == []


def test_a_name_is_cut_and_escaped(monkeypatch):
    (line,) = looked(monkeypatch, ["\x1b[2J" + "x" * 100])
    assert line == ("listed", '"\\u001b[2J' + "x" * (EXAMPLE_CHARS - 4) + '"')
