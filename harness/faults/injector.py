"""The conductor: carries out the plan's chaos on its timeline, on victims that the plan's seed chooses.

It must not know how figures are made of it. The subtle things: every process computes the same victims (a seeded
permutation of all session numbers, consumed in the order of time, so that nobody is struck twice before everybody
was struck once) and acts on its own; and whatever is still under way at the end is lifted in `lift_all`.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ..client.context import Context
from ..client.patterns.conversation import Conversation
from ..client.session import Session
from ..client.tally import Acted
from ..plan import Burst, Drop, FaultPlan, Malformed
from ..plan.chaos import Fault
from ..record.row import NO_ROOM, Kind, Outcome
from .drop import drop
from .payloads import Malformer

SECOND = 1_000_000_000
Schemas = dict[str, dict[str, object]]
"""JSON Schemas by what they are of: `publish` (a frame) and `post` (the body of one)."""

PROBE_GAP_S = 0.02
RETRY_NS = SECOND // 5


@dataclass(frozen=True, slots=True)
class Stroke:
    """One act on one session: the `occurrence`-th of fault number `index` in the plan."""

    fault: FaultPlan
    index: int
    occurrence: int
    session: int
    due: int


def strokes(faults: Sequence[FaultPlan], sessions: int, seed: int, start_ns: int, end_s: float) -> list[Stroke]:
    """Everything that is to happen to anybody, in the order of time; the same in every process."""
    order = list(range(sessions))
    random.Random(f"{seed}-victims").shuffle(order)
    times = sorted(
        (at_s, index, occurrence)
        for index, fault in enumerate(faults)
        for occurrence, at_s in enumerate(fault.times_s(end_s))
    )
    found, cursor = [], 0
    for at_s, index, occurrence in times:
        due = start_ns + round(at_s * SECOND)
        for _ in range(faults[index].victims(sessions)):
            found.append(Stroke(faults[index], index, occurrence, order[cursor % sessions], due))
            cursor += 1
    return found


def most_held(acts: Sequence[Stroke], rank: int, processes: int, skipped: frozenset[Fault] = frozenset()) -> int:
    """How many silent connections one process holds at most at any time, beside those of its sessions."""
    changes = []
    for act in acts:
        fault = act.fault
        if (
            isinstance(fault, Drop)
            and fault.is_silent
            and fault.code not in skipped
            and act.session % processes == rank
        ):
            changes.append((act.due, 1))
            if fault.hold_s is not None:
                changes.append((act.due + round(fault.hold_s * SECOND), -1))
    changes.sort(key=lambda change: (change[0], -change[1]))  # one may end only after the next has begun
    return max(accumulate((change for _, change in changes), initial=0))


class Conductor:
    """One process's part of the chaos; `skipped` holds the faults that this machine does not permit."""

    def __init__(
        self, context: Context, sessions: Mapping[int, Session], text: str, schemas: Schemas,
        skipped: frozenset[Fault] = frozenset(),
    ) -> None:  # fmt: skip
        self._context = context
        self._sessions = sessions
        self._text = text
        self._skipped = skipped
        seed = context.plan.seed
        self._malformers = {False: Malformer(schemas.get("publish"), seed), True: Malformer(schemas.get("post"), seed)}
        """By whether the session posts."""
        self._open: dict[Stroke, tuple[Conversation | None, int, int]] = {}
        self._over = False
        self._halted = False
        throttle = context.plan.contract.throttle_per_s
        # Malformed payloads are judged by their own error: they must not run into the throttle.
        self._gap_ns = round((2 / throttle if throttle else PROBE_GAP_S) * SECOND)

    def schedule(self, plan: Sequence[Stroke], start_ns: int) -> None:
        """Put on the clock what falls on this process's sessions, and tell the live view of the rest."""
        groups: dict[tuple[int, int], list[Stroke]] = {}
        clock, acts = self._context.clock, self._context.tally.acts
        for stroke in plan:
            if stroke.fault.code in self._skipped:
                continue
            groups.setdefault((stroke.index, stroke.occurrence), []).append(stroke)
            # A session is made when its user starts, so whose it is shows only then.
            clock.at(stroke.due, lambda stroke=stroke: self._strike(stroke))  # type: ignore[misc]
        for group in groups.values():
            act = Acted(group[0].due - start_ns, f"{describe(group[0].fault)} x {len(group)}")
            clock.at(group[0].due, lambda act=act: None if self._halted else acts.append(act))  # type: ignore[misc]

    def _strike(self, stroke: Stroke) -> None:
        session = self._sessions.get(stroke.session)
        if session is None or self._halted:
            return
        connection = session.take_socket()
        ready = connection is not None and session.is_settled and not self._over
        conn, room = max(0, session.conn), min(session.rooms, default=NO_ROOM)
        self._row(Kind.FAULT, Outcome.OK if ready else Outcome.ABANDONED, stroke, conn, room)
        if not ready or connection is None:
            return
        fault = stroke.fault
        if isinstance(fault, Drop):
            if drop(connection, fault.code):
                self._open[stroke] = (connection, conn, room)
                if fault.hold_s is not None:
                    self._context.clock.after(round(fault.hold_s * SECOND), lambda: self._lift(stroke))
            return
        self._open[stroke] = (None, conn, room)
        if isinstance(fault, Burst):
            self._burst(stroke, fault, session, room)
        else:
            self._malformed(stroke, fault, session)

    def _burst(self, stroke: Stroke, fault: Burst, session: Session, room: int) -> None:
        """Send all at once; the act ends with the last answer."""
        left = fault.messages

        def answered(_outcome: Outcome, _code: int) -> None:
            nonlocal left
            left -= 1
            if not left:
                self._lift(stroke)

        for _ in range(fault.messages):
            session.publish(room, self._text, stroke.due, burst=True, done=answered)

    def _malformed(self, stroke: Stroke, fault: Malformed, session: Session) -> None:
        """Send one after the other, each when the last was answered, over reconnects if the endpoint closes."""
        left = fault.messages
        clock = self._context.clock

        def send() -> None:
            if stroke not in self._open:
                return
            if not session.is_open or not session.is_settled:
                clock.after(RETRY_NS, send)
                return
            room = min(session.rooms, default=NO_ROOM)
            message = session.next_message(room, self._text)
            damage, data = self._malformers[session.posts].damage(session.dialect.publish(message))
            session.probe(data, message.seq, damage, room, answered)

        def answered(outcome: Outcome, _code: int) -> None:
            nonlocal left
            if outcome is not Outcome.ABANDONED:
                left -= 1
            if left:
                clock.after(self._gap_ns, send)
            else:
                self._lift(stroke)

        send()

    def _lift(self, stroke: Stroke) -> None:
        """End one act: let go of a silent connection."""
        if stroke not in self._open:
            return
        connection, conn, room = self._open.pop(stroke)
        self._row(Kind.LIFT, Outcome.OK, stroke, conn, room)
        if connection is not None:
            connection.reset()

    @property
    def held(self) -> int:
        """How many silent connections are held open."""
        return sum(connection is not None for connection, _, _ in self._open.values())

    def halt(self) -> None:
        """Strike nobody any more: the load was ended before its time. What is under way goes on."""
        self._halted = True

    def lift_all(self) -> None:
        """End everything that is still under way, whatever has happened."""
        self._over = True
        for stroke in list(self._open):
            self._lift(stroke)

    def _row(self, kind: Kind, outcome: Outcome, stroke: Stroke, conn: int, room: int) -> None:
        self._context.recorder.row(
            kind, outcome, 0, stroke.fault.code, stroke.session, conn, room, stroke.index,
            stroke.occurrence, stroke.due, self._context.clock.now(),
        )  # fmt: skip


def describe(fault: FaultPlan) -> str:
    """What a fault is called in views and reports."""
    return f"drop {fault.how}" if isinstance(fault, Drop) else fault.code.label
