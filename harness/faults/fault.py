"""What a fault is: a class with `inject` and `lift`, registered by `@fault`; the base class `Fault` does nothing.

A fault's module is imported when a plan is read. So it imports nothing here that opens sockets or runs an event loop:
sessions and connections are named for type checking only, and anything heavier is imported in `prepare`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from ..plan.chaos import Act
from ..plan.fault_registry import FaultKind, kind_of, register

if TYPE_CHECKING:
    from ..client.patterns.conversation import Conversation
    from ..client.session import Session
    from ..plan import Plan
    from ..transport.clock import Agenda

O_co = TypeVar("O_co", bound=Act, covariant=True)
T = TypeVar("T")
Schemas = dict[str, dict[str, object]]
"""JSON Schemas by what they are of: `publish` (a frame) and `post` (the body of one)."""


@dataclass(frozen=True, slots=True)
class FaultRun:
    """What all injections of one process share."""

    plan: "Plan"
    clock: "Agenda"
    text: str
    """Payload text, of the size that the plan wants."""
    schemas: Schemas
    _made: dict[object, object] = field(default_factory=dict)

    def once(self, make: Callable[["FaultRun"], T]) -> T:
        """What `make` makes of this, made once: a state that all injections of a fault share."""
        if make not in self._made:
            self._made[make] = make(self)
        return cast(T, self._made[make])


@dataclass(frozen=True, slots=True)
class Target:
    """Where one injection happens."""

    session: "Session"
    connection: "Conversation"
    """The session's connection at the time of the injection."""
    due: int
    """When the plan wanted the injection (ns)."""
    run: FaultRun
    end: Callable[[], None]
    """To be called when the fault is over by itself; it leads to `lift`. Harmless when it was lifted before."""


class Fault(Generic[O_co]):
    """One injection of a fault into one session. This base does nothing to it.

    Args:
        options: what the plan says.
        target: the session, its connection, and what the injections of this process share.
    """

    kind: FaultKind

    def __init__(self, options: O_co, target: Target) -> None:
        self.options = options
        self.target = target

    @classmethod
    def why_not(cls) -> str:
        """Why this machine cannot inject it, in one line; "" when it can."""
        return ""

    @classmethod
    def prepare(cls, run: FaultRun) -> None:
        """Get ready, before the load, what must not cost time or fail later.

        Raises:
            ValueError: the plan's files do not allow this fault.
        """

    def inject(self) -> None:
        """Do it. Called from the hub: it must neither block nor switch.

        Raises:
            OSError: the kernel refused; the run fails.
        """

    def lift(self) -> None:
        """Undo it, or let go of what was held: after `hold_s`, at the end of the run, or after `target.end()`.

        Called once for each injection of a fault that lasts, and never for another.
        """


HANDLERS: dict[str, type[Fault[Any]]] = {}
"""What injects each fault, by its name; `fault_registry.faults()` has every name that is here."""

AnyFault = TypeVar("AnyFault", bound=type[Fault[Any]])


def fault(
    name: str, *, number: int, options: type[Act], summary: str, kernel_sees: str, code_sees: str,
    takes_connection: bool = False, holds_connection: bool = False, stops_reading: bool = False, lasts: bool = False,
) -> Callable[[AnyFault], AnyFault]:  # fmt: skip
    """Register a class as the fault of this name; the arguments are those of `FaultKind`.

    `holds_connection` implies that it lasts.

    Raises:
        TypeError: the class does not inject, or holds a connection and does not let go of it; or the name or number
            is taken. A fault's module is then not importable, so no plan can ask for it.
    """
    kind = FaultKind(
        name, number, options, summary, kernel_sees, code_sees, takes_connection, holds_connection,
        stops_reading, lasts or holds_connection,
    )  # fmt: skip

    def add(handler: AnyFault) -> AnyFault:
        if handler.inject is Fault.inject:
            raise TypeError(f"fault {name}: {handler.__name__} has no inject")
        if holds_connection and handler.lift is Fault.lift:
            raise TypeError(f"fault {name}: {handler.__name__} holds connections and has no lift")
        register(kind, handler.__module__)
        handler.kind = kind
        HANDLERS[name] = handler
        return handler

    return add


def handler_of(act: Act) -> type[Fault[Any]]:
    """What injects the fault that a table of the plan asks for."""
    return HANDLERS[kind_of(act).name]


def reasons_not(acts: Iterable[Act]) -> dict[str, str]:
    """The faults of a plan that this machine cannot inject, by name, and why."""
    return {act.fault_name: reason for act in acts if (reason := handler_of(act).why_not())}
