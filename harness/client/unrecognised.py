"""Frames that were not recognised: which messages of the run they name, how many came, and the first ones as evidence.

They are anomalies or of no interest, and an endpoint may push thousands of the second sort each second. So frames that
name no message of the run are counted, one row a session and second; each that names some is a row for every name.

A frame may be recognised and still hold more than was read of it, such as a list of which the plan reads the first
item. Looking each frame through would cost two microseconds, so frames are looked through only if they are longer than
the shortest of their kind by an id, and the run's mark is in them more often.
"""

from collections.abc import Callable, Iterable
from typing import Protocol as Interface

import msgspec

from ..record.recorder import Recorder
from ..record.row import NO_ROOM, Flag, Kind, Outcome, SignalKind
from ..transport.events import Arrival
from ..units import SECOND
from ..wire.ids import find_ids
from ..wire.signal import Signal
from ..wire.taken import Taken, describe

EXAMPLES, EXAMPLE_BYTES = 6, 300
"""How many frames of each kind are kept as evidence, each of another shape, and how much of each."""
EXAMINED = 1000
"""How many are looked at for evidence."""

ID_BYTES = 3
"""The least that an id is longer than the mark."""

Explain = Callable[[bytes], tuple[Taken, ...]]


class Party(Interface):
    """The session that got the frame."""

    number: int
    conn: int


class Unrecognised:
    """The unrecognised frames of one process.

    Args:
        recorder: where they are written.
        nonce: the run's.
        explain: the dialect's.
    """

    __slots__ = ("_counts", "_examined", "_explain", "_kept", "_mark", "_nonce", "_recorder", "_usual")

    def __init__(self, recorder: Recorder, nonce: str, explain: Explain) -> None:
        self._recorder = recorder
        self._nonce = nonce
        self._mark = f"{nonce}-".encode()
        self._explain = explain
        self._counts: dict[int, list[int]] = {}
        """By session: second, connection, frames, and arrival and reading of the last."""
        self._examined = 0
        self._kept: dict[SignalKind, set[object]] = {}
        self._usual: dict[SignalKind, tuple[int, int]] = {}
        """Of frames that hold nothing more than was read of them, by kind: the least length, and the fewest marks."""

    def came(self, of: Party, kind: SignalKind, data: bytes, when: Arrival) -> int:
        """One more; `kind` is what the dialect took it for.

        Returns:
            Flag.NAMED if it names messages of the run.
        """
        if self._examined < EXAMINED and data:
            self._examined += 1
            self._keep(kind, data, when)
        if self._mark in data and (named := find_ids(data, self._nonce)):
            self.named(of, kind, named, when)
            return Flag.NAMED
        if kind is SignalKind.OTHER:
            self._count(of, when)
        return 0

    def named(self, of: Party, kind: SignalKind, messages: Iterable[tuple[int, int]], when: Arrival) -> None:
        """An unrecognised frame, or what was not read of a frame, names these messages (sender, number)."""
        for sender, seq in messages:
            self._recorder.row(
                Kind.NAMED, Outcome.NONE, when.flags, kind, of.number, of.conn, NO_ROOM, sender, seq,
                arrived=when.arrived, read=when.read,
            )  # fmt: skip

    def beyond(self, data: bytes, signals: tuple[Signal, ...]) -> tuple[tuple[int, int], ...]:
        """The messages that a recognised frame names beside those that were read of it."""
        kind, length = signals[0].kind, len(data)
        shortest, fewest = self._usual.get(kind, (length + 1, length))
        if shortest <= length < shortest + len(self._mark) + ID_BYTES:
            return ()
        marks = data.count(self._mark)
        if shortest <= length and marks <= fewest:
            return ()
        named = find_ids(data, self._nonce)
        if len(named) == 1 and kind is not SignalKind.DELIVERY and marks > fewest:
            return tuple(named)  # an answer, and once more the same id: of the delivery that came with it
        if len(named) < 2:
            self._usual[kind] = min(length, shortest), min(marks, fewest)
            return ()
        read = {signal.id for signal in signals}
        more = tuple((sender, seq) for sender, seq in named if f"{self._nonce}-{sender}-{seq}" not in read)
        return more if len(more) < len(named) else ()  # else nothing was recognised: it is recorded elsewhere

    def is_made_up(self, id: str | None, sessions: int) -> bool:
        """Whether an id looks like one of this run's and can be none of its `sessions`."""
        if id is None or not id.startswith(f"{self._nonce}-"):
            return False
        session, _, seq = id[len(self._nonce) + 1 :].partition("-")
        if not (session.isdecimal() and seq.isdecimal()):
            return False
        named = find_ids(id.encode(), self._nonce)
        return not named or named[0][0] >= sessions

    def ended(self, session: int) -> None:
        """A connection of this session has ended: write what was counted."""
        if counted := self._counts.pop(session, None):
            self._write(session, counted)

    def _count(self, of: Party, when: Arrival) -> None:
        second = when.arrived // SECOND
        counted = self._counts.get(of.number)
        if counted is not None and counted[0] == second and counted[1] == of.conn:
            counted[2:] = counted[2] + 1, when.arrived, when.read
            return
        if counted is not None:
            self._write(of.number, counted)
        self._counts[of.number] = [second, of.conn, 1, when.arrived, when.read]

    def _write(self, session: int, counted: list[int]) -> None:
        _, conn, frames, arrived, read = counted
        self._recorder.row(
            Kind.UNRECOGNISED, Outcome.NONE, Flag.NONE, SignalKind.OTHER, session, conn, seq=frames, arrived=arrived,
            read=read,
        )  # fmt: skip

    def _keep(self, kind: SignalKind, data: bytes, when: Arrival) -> None:
        """Keep a frame as evidence if there are few of its kind and none of its shape."""
        kept = self._kept.setdefault(kind, set())
        if len(kept) >= EXAMPLES or (shape := _shape(data)) in kept:
            return
        kept.add(shape)
        said = " | ".join(describe(taken, data, self._nonce) for taken in self._explain(data))
        shown = data[:EXAMPLE_BYTES].decode("utf-8", "replace")
        self._recorder.evidence(
            when.read, "unmatched", 0, f"{shown}: {said}", signal=kind.name.lower(), ours=self._mark in data
        )


def _shape(data: bytes) -> object:
    """What frames of one sort have in common: their keys, and their shortest text, which most often is their type."""
    try:
        frame = msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return data[:8]
    if not isinstance(frame, dict):
        return str(frame)[:8]
    texts = sorted((value for value in frame.values() if isinstance(value, str)), key=lambda text: (len(text), text))
    return (frozenset(frame), *texts[:1])
