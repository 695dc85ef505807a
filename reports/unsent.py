"""What the plan's chaos should have sent and did not: bursts and malformed payloads. For the section `rejections`."""

import msgspec
import numpy as np

from harness.plan.chaos import Act
from harness.record.row import Kind

from .rows import Rows


class Unsent(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of faults that were due before the load ended and were never sent.

    The session had no connection at that time, or lost it, or had not started; or there was too little time left.
    """

    burst_messages: int
    """messages of bursts"""
    malformed: int
    """malformed payloads"""


def unsent(rows: Rows) -> Unsent:
    """What was planned less what was sent."""
    probes = int(np.count_nonzero(rows.of(Kind.PROBE)["sent"] > 0))
    return Unsent(
        burst_messages=max(0, _planned(rows, "burst") - len(rows.bursts)),
        malformed=max(0, _planned(rows, "malformed") - probes),
    )


class _Sending(msgspec.Struct, frozen=True):
    """The keys that matter of a `[[chaos]]` table whose fault sends messages."""

    messages: int
    at_s: float | None = None
    every_s: float | None = None
    until_s: float | None = None
    count: int | None = None
    share: float | None = None

    def sent_before(self, end_s: float, sessions: int) -> int:
        """How many messages it sends in all in this time since the run began."""
        act = Act(at_s=self.at_s, every_s=self.every_s, until_s=self.until_s, count=self.count, share=self.share)
        return sum(1 for _ in act.times_s(end_s)) * act.victims(sessions) * self.messages


def _planned(rows: Rows, fault: str) -> int:
    """How many messages the plan's faults of one name send to the end of the load."""
    plan, end_s = rows.manifest.plan, (rows.load_end_ns - rows.start_ns) / 1e9
    acts = [msgspec.convert(act, _Sending) for act in plan.chaos if act.get("fault") == fault]
    return sum(act.sent_before(end_s, plan.load.sessions) for act in acts)
