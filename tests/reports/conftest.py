"""A made-up run, written through the real recorder: times in milliseconds since the run began."""

import io
import json

import msgspec
import pytest
from rich.console import Console

from harness.plan import build_plan
from harness.record import run_directory
from harness.record.recorder import Recorder
from harness.record.row import Closer, Flag, Gauge, Kind, Outcome
from reports.build import build_report, to_json
from reports.html import render
from reports.report import Report
from reports.terminal import show

START = 10**12
MS = 10**6
STAMPED = (Kind.OPEN, Kind.JOIN, Kind.LEAVE, Kind.PROBE, Kind.PING)


class Made:
    """Builds a run directory row by row; every session is in room 0 unless given."""

    def __init__(self, base, processes=None, stamps="kernel", scenarios=None, silent=None, faults=None, **plan):
        contract = {"stale_within_s": 5.0, "throttle_per_s": 10.0, "throttle_burst": 20, "malformed_codes": [400]}
        plan = build_plan(
            {"load": {"sessions": 4, "rooms": 2, "ramp_s": 1.0, "duration_s": 20.0}, "contract": contract} | plan
        )
        manifest = {
            "nonce": "made", "plan": plan.masked(), "digest": plan.digest(), "start_ns": START,
            "load_start_ns": START + round(plan.load_start_s * 1e9),
            "load_end_ns": START + round(plan.load_end_s * 1e9), "stamps": stamps,
            "loop": "closed" if plan.load.shape.is_closed else "open",
            "topology": {"processes": processes} if processes else {}, "host": {}, "versions": {"squall": "0"},
        }  # fmt: skip
        if scenarios:
            manifest["scenarios"] = scenarios
        if silent is not None:
            manifest["silent"] = silent
        if faults:
            manifest["faults"] = faults
        self.path = run_directory.create(base, "made", json.loads(json.dumps(manifest)))
        self.recorder = Recorder(self.path)
        self.ended = 30_000

    def process(self, rank):
        """What follows is another process's."""
        self.sample(Gauge.CPU_PERMILLE, 100, self.ended)
        self.recorder.close()
        self.recorder = Recorder(self.path, rank)
        return self

    def row(self, kind, outcome=Outcome.OK, **columns):
        for name in ("due", "sent", "arrived", "read"):
            if columns.get(name):
                columns[name] = START + round(columns[name] * MS)
        columns.setdefault("read", columns.get("arrived", 0))
        if columns.get("arrived") and kind in STAMPED:
            columns.setdefault("flags", Flag.EXACT)
        self.recorder.row(kind, outcome, **columns)
        return self

    def open(self, session, at=10, conn=0, outcome=Outcome.OK, code=0):
        return self.row(Kind.OPEN, outcome, session=session, conn=conn, due=at, sent=at, arrived=at + 1, code=code)

    def join(self, session, at=20, conn=0, room=0):
        return self.row(Kind.JOIN, session=session, conn=conn, room=room, sent=at, arrived=at + 1)

    def member(self, *sessions, room=0):
        for session in sessions:
            self.open(session).join(session, room=room)
        return self

    def publish(self, session, seq, at, outcome=Outcome.OK, room=0, code=0, flags=Flag.EXACT, took=2, due=None):
        arrived = 0 if outcome in (Outcome.EXPIRED, Outcome.CLOSED) else at + took
        return self.row(Kind.PUBLISH, outcome, session=session, seq=seq, room=room, due=due or at, sent=at, code=code,
                        flags=flags, arrived=arrived)  # fmt: skip

    def deliver(self, receiver, sender, seq, at, conn=0, room=0, flags=Flag.EXACT):
        return self.row(Kind.DELIVERY, session=receiver, conn=conn, peer=sender, seq=seq, room=room, arrived=at,
                        flags=flags)  # fmt: skip

    def probe(self, session, seq, at, outcome=Outcome.REJECTED, code=400, damage=1):
        answered = 0 if outcome is Outcome.EXPIRED else at + 2
        return self.row(Kind.PROBE, outcome, session=session, seq=seq, room=0, sent=at, arrived=answered, code=code,
                        peer=damage)  # fmt: skip

    def fault(self, session, fault, at, conn=0, index=0):
        return self.row(Kind.FAULT, session=session, conn=conn, room=0, code=fault, peer=index, due=at, sent=at)

    def lift(self, session, fault, at, conn=0, index=0):
        return self.row(Kind.LIFT, session=session, conn=conn, room=0, code=fault, peer=index, sent=at)

    def close(self, session, at, conn=0, closer=Closer.US, code=1000):
        began = at if closer is Closer.US else 0
        outcome = Outcome.OK if code == 1000 else Outcome.CLOSED
        return self.row(Kind.CLOSE, outcome, session=session, conn=conn, peer=closer, code=code, sent=began, arrived=at)

    def leave(self, session, at, conn=0, room=0):
        return self.row(Kind.LEAVE, session=session, conn=conn, room=room, sent=at, arrived=at + 1)

    def fetch(self, session, at, messages=0, conn=0, room=0, outcome=Outcome.OK, code=200, took=3):
        answered = 0 if outcome in (Outcome.EXPIRED, Outcome.CLOSED) else at + took
        return self.row(Kind.FETCH, outcome, session=session, conn=conn, room=room, seq=messages, code=code, sent=at,
                        arrived=answered)  # fmt: skip

    def poll(self, at, outcome=Outcome.OK):
        return self.row(Kind.LOOK, outcome, sent=at, arrived=at + 5, peer=4, seq=4)

    def listed(self, kind, session, before, at, conn=0):
        return self.row(kind, Outcome.NONE, session=session, conn=conn, sent=before, arrived=at)

    def sample(self, gauge, value, at=5000):
        return self.row(Kind.SAMPLE, Outcome.NONE, code=gauge, seq=value, arrived=at)

    def chatter(self, sessions=(0, 1, 2, 3), messages=10, every=500, first=2000, lose=(), double=()):
        """Each session sends in turn and all receive it, except as given by `lose` and `double`."""
        for seq in range(1, messages + 1):
            for n, sender in enumerate(sessions):
                at = first + seq * every + n
                self.publish(sender, seq, at)
                for receiver in sessions:
                    for _ in range(
                        0 if (receiver, sender, seq) in lose else 2 if (receiver, sender, seq) in double else 1
                    ):
                        self.deliver(receiver, sender, seq, at + 3)
        return self

    def report(self, status="complete"):
        """The content of report.json."""
        self.sample(Gauge.CPU_PERMILLE, 100, self.ended)
        self.recorder.close()
        if status:
            run_directory.seal(self.path, status, START + self.ended * MS)
        return content(self.path)


def content(path):
    """The content of a run's report.json."""
    return json.loads(json.dumps(to_json(build_report(path))))


def typed(report):
    """The struct that a report.json is read back into."""
    return msgspec.convert(report, Report)


def on_the_terminal(report, width=200):
    console = Console(file=io.StringIO(), width=width)
    show(typed(report), console)
    return console.file.getvalue()


def on_the_page(report):
    return render(typed(report))


@pytest.fixture
def make(tmp_path):
    return lambda **plan: Made(tmp_path, **plan)


@pytest.fixture
def clean(make):
    return make().member(0, 1, 2, 3).chatter()
