"""Malformed payloads (probes): how each of them was answered. For the section `rejections`."""

import msgspec
import numpy as np

from harness.record.row import Damage, Kind, Outcome

from .closing import close_codes
from .manifest import Contract
from .occasion import Occasion, occasion
from .rows import Array, Rows, find, message_keys

CLOSES_FOR_CAUSE = (1002, 1003, 1007, 1008, 1009)


class Probes(msgspec.Struct, frozen=True, kw_only=True):
    """How a set of malformed payloads was answered; the parts add up to `sent`."""

    sent: int
    """malformed payloads sent"""
    rejected_as_expected: int
    """payloads that were rejected with a promised code, or by a close that says why"""
    accepted: int
    """payloads that were accepted or delivered"""
    wrong_code: int
    """payloads that were rejected with another code, or by a close that does not say why"""
    throttled: int
    """payloads that were throttled instead"""
    unanswered: int
    """payloads without an answer in time"""
    too_early_to_tell: int
    """payloads whose connection we ended before the answer and before the time-out"""


class Malformed(Probes, frozen=True, kw_only=True):
    """How malformed payloads were answered, in all and by damage."""

    by_damage: dict[str, Probes]
    """the same by what was wrong with the payload"""
    accepted_at: Occasion | None
    """when first one was accepted, and whose they were; `null`: never"""
    wrong_code_at: Occasion | None
    """when first one was rejected in a wrong way, and whose they were; `null`: never"""


def malformed(rows: Rows) -> Malformed | None:
    """How the malformed payloads were answered, in all and by damage; None when none was sent."""
    probes = rows.of(Kind.PROBE)
    probes = probes[probes["sent"] > 0]
    if not len(probes):
        return None
    delivered = rows.of(Kind.DELIVERY)
    reached = np.unique(message_keys(delivered["peer"], delivered["seq"]))
    _, fanned_out = find(reached, message_keys(probes["session"], probes["seq"]))
    judged = _judged(probes, fanned_out, close_codes(rows, probes), rows.contract)

    def counted(chosen: Array) -> dict[str, int]:
        return {name: int(np.count_nonzero(those & chosen)) for name, those in judged.items()}

    return Malformed(
        by_damage={Damage(kind).label: Probes(**counted(probes["peer"] == kind)) for kind in np.unique(probes["peer"])},
        **counted(np.ones(len(probes), bool)),
        accepted_at=occasion(rows, probes[judged["accepted"]]),
        wrong_code_at=occasion(rows, probes[judged["wrong_code"]]),
    )


def _judged(probes: Array, fanned_out: Array, close_code: Array, contract: Contract) -> dict[str, Array]:
    """For each field of Probes: which of these belong to it; `close_code` is that of each one's connection."""
    outcome, code = probes["outcome"], probes["code"]
    accepted = (outcome == Outcome.OK) | fanned_out
    refused = (outcome == Outcome.REJECTED) & ~fanned_out
    closed = (outcome == Outcome.CLOSED) & (probes["arrived"] > 0) & ~fanned_out
    throttled = refused & np.isin(code, contract.throttle_codes) | closed & np.isin(close_code, contract.throttle_codes)
    promised = contract.malformed_codes
    right = np.isin(code, promised) if promised is not None else ~throttled
    closed_rightly = np.isin(code, CLOSES_FOR_CAUSE) | np.isin(close_code, promised or ())
    expected = refused & right | closed & closed_rightly
    return {
        "sent": np.ones(len(probes), bool),
        "rejected_as_expected": expected,
        "accepted": accepted,
        "wrong_code": (refused | closed) & ~expected & ~throttled,
        "throttled": throttled & ~expected,
        "unanswered": (outcome == Outcome.EXPIRED) & ~fanned_out,
        "too_early_to_tell": ((outcome == Outcome.CLOSED) & (probes["arrived"] == 0) | (outcome == Outcome.ABANDONED))
        & ~fanned_out,
    }
