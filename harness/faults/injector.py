"""The injector: carries out the plan's chaos on its time line, records it, and lifts whatever is still under way.

Every process computes the same schedule and injects into its own sessions. Which fault it is makes no difference here:
that is the fault's own file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..client.context import Context
from ..client.session import Session
from ..client.tally import Acted
from ..plan.fault_registry import kind_of
from ..record.row import NO_ROOM, Kind, Outcome
from ..units import SECOND
from .fault import Fault, FaultRun, Schemas, Target, handler_of
from .schedule import Injection, Occurrence, occurrences

AHEAD_NS = SECOND // 10
"""How long before an occurrence its injections are put on the clock."""
FIRST_NS = 1
"""An injection comes this much before what is due at the same time, so that no message is sent only to be lost."""


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """An injection that is to be lifted: on which connection, and in which room, it was done."""

    fault: Fault[Any]
    conn: int
    room: int


class Injector:
    """One process's part of the chaos.

    Args:
        context: what the sessions of this process share.
        sessions: its sessions by number, as far as they are made.
        text: payload text for the faults that send.
        schemas: of what is published and posted.
        skipped: names of the faults that this machine does not permit.

    Raises:
        ValueError: the plan's files do not allow one of its faults.
    """

    def __init__(
        self, context: Context, sessions: Mapping[int, Session], text: str, schemas: Schemas,
        skipped: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self._context = context
        self._sessions = sessions
        self._skipped = skipped
        self._run = FaultRun(context.plan, context.clock, text, schemas)
        self._under_way: dict[Injection, _UnderWay] = {}
        self._over = False
        self._halted = False
        for act in context.plan.chaos:
            if act.fault_name not in skipped:
                handler_of(act).prepare(self._run)

    def schedule(self, start_ns: int) -> None:
        """Put the chaos of a run that begins at `start_ns` on the clock, one occurrence after the other."""
        self._await_next(occurrences(self._context.plan, start_ns), start_ns)

    def _await_next(self, coming: Iterator[Occurrence], start_ns: int) -> None:
        for occurrence in coming:
            if occurrence.kind.name not in self._skipped:
                # What follows is looked at only then: a session is made when its user starts, and there may be days.
                begin = partial(self._begin, occurrence, coming, start_ns)
                self._context.clock.at(occurrence.due - AHEAD_NS, begin)
                return

    def _begin(self, occurrence: Occurrence, coming: Iterator[Occurrence], start_ns: int) -> None:
        """Put one occurrence on the clock: one piece of work a session, so that the sockets are not starved."""
        if self._halted:
            return
        clock = self._context.clock
        for injection in occurrence.injections:
            clock.at(injection.due - FIRST_NS, partial(self._inject, injection))
        text = f"{occurrence.kind.title} x {len(occurrence.injections)}"
        clock.at(occurrence.due, partial(self._show, Acted(occurrence.due - start_ns, text)))
        self._await_next(coming, start_ns)

    def _show(self, act: Acted) -> None:
        if not self._halted:
            self._context.tally.acts.append(act)

    def _inject(self, injection: Injection) -> None:
        session = self._sessions.get(injection.session)
        if session is None or self._halted:
            return
        connection = session.take_socket()
        ready = connection is not None and session.is_settled and not self._over
        conn, room = max(0, session.conn), min(session.rooms, default=NO_ROOM)
        self._row(Kind.FAULT, Outcome.OK if ready else Outcome.ABANDONED, injection, conn, room)
        if not ready or connection is None:
            return
        target = Target(session, connection, injection.due, self._run, partial(self._lift, injection))
        fault = handler_of(injection.act)(injection.act, target)
        if fault.kind.lasts:
            self._under_way[injection] = _UnderWay(fault, conn, room)
        fault.inject()
        hold_s = injection.act.lift_after_s
        if fault.kind.lasts and hold_s is not None:
            self._context.clock.after(round(hold_s * SECOND), partial(self._lift, injection))

    def _lift(self, injection: Injection) -> None:
        """End one injection, if it is under way."""
        if (ended := self._under_way.pop(injection, None)) is not None:
            self._row(Kind.LIFT, Outcome.OK, injection, ended.conn, ended.room)
            ended.fault.lift()

    @property
    def held(self) -> int:
        """How many connections are held open which their sessions have lost."""
        return sum(each.fault.kind.holds_connection for each in self._under_way.values())

    def halt(self) -> None:
        """Inject nothing more: the load was ended before its time. What is under way goes on."""
        self._halted = True

    def lift_all(self) -> None:
        """End everything that is still under way, whatever has happened."""
        self._over = True
        for injection in list(self._under_way):
            self._lift(injection)

    def _row(self, kind: Kind, outcome: Outcome, injection: Injection, conn: int, room: int) -> None:
        self._context.recorder.row(
            kind, outcome, 0, kind_of(injection.act).number, injection.session, conn, room, injection.index,
            injection.occurrence, injection.due, self._context.clock.now(),
        )  # fmt: skip
