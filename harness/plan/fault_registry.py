"""The faults that there are: name, number, what `[[chaos]]` may say for each, and what the endpoint sees of it.

A fault is one module of `harness.faults`, which registers itself with `@fault`. Plans are read below that layer, so the
modules are found by the package's name, as entry points are, and not imported statically: whatever file lies in the
package is known, and reading a plan stays light because a fault's module imports no sockets and no event loop (a test
watches that). Only what a plan must know of a fault is here; how it is injected, `harness.faults.fault` says.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..errors import PlanError, did_you_mean
from .chaos import Act

PACKAGE = "harness.faults"
MACHINERY = ("fault", "injector", "payloads", "schedule")
"""The modules of the package which are no faults: what registers, schedules and helps them."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One fault as plans, rows and reports know it."""

    name: str
    number: int
    """The `code` of its FAULT and LIFT rows."""
    options: type[Act]
    """What `[[chaos]]` may say for it; the struct's tag is the value of `fault`."""
    summary: str
    """What happens to the client, in a few words."""
    kernel_sees: str
    """What the endpoint's kernel sees of it."""
    code_sees: str
    """What the endpoint's own code sees of it."""
    takes_connection: bool
    """Whether it takes the connection away, so that the endpoint should notice."""
    holds_connection: bool
    """Whether the connection is kept after the session has lost it: it costs a descriptor until the lift."""
    stops_reading: bool
    """Whether the client stops reading, or reads slowly, while its connection stays open."""
    lasts: bool
    """Whether something is under way after the injection, which a LIFT row ends."""

    @property
    def tag(self) -> str:
        """The value of `fault` in a plan: the name, or of what this is one way (`drop`)."""
        return str(self.options.__struct_config__.tag)

    @property
    def title(self) -> str:
        """What it is called in views: `burst`, `drop reset`."""
        return self.name if self.tag == self.name else f"{self.tag} {self.name}"


_REGISTRY: dict[str, FaultKind] = {}
_MODULES: set[str] = set()
"""The modules that have registered a fault."""


def register(kind: FaultKind, module: str) -> None:
    """Make a fault known, which `module` injects.

    Raises:
        TypeError: the name or the number is taken, or no plan could ask for it.
    """
    if kind.name in _REGISTRY or kind.number in (each.number for each in _REGISTRY.values()):
        raise TypeError(f"fault {kind.name} ({kind.number}): the name or the number is taken")
    if kind.tag != kind.name and "how" not in kind.options.__struct_fields__:
        raise TypeError(f'fault {kind.name}: its options are tagged "{kind.tag}" and have no "how"')
    _REGISTRY[kind.name] = kind
    _MODULES.add(module)


@cache
def faults() -> Mapping[str, FaultKind]:
    """Every fault by name, in the order of their numbers.

    Raises:
        ImportError: a module of the package registers no fault.
    """
    discover(PACKAGE, MACHINERY)
    return dict(sorted(_REGISTRY.items(), key=lambda item: item[1].number))


def discover(package: str, machinery: Iterable[str] = ()) -> None:
    """Import every module of a package but its `machinery`, so that each registers its fault.

    Raises:
        ImportError: one registers none.
    """
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        if module.name.removeprefix(f"{package}.") in machinery:
            continue
        importlib.import_module(module.name)
        if module.name not in _MODULES:
            raise ImportError(f"{module.name} registers no fault")


def kind_of(act: Act) -> FaultKind:
    """The fault that a table of the plan asks for.

    Raises:
        PlanError: there is none of that name.
    """
    kind = faults().get(act.fault_name)
    if kind is None:
        raise PlanError(f'chaos: there is no fault "{act.fault_name}"; {_hint(act.fault_name, faults())}')
    return kind


def choose(table: Mapping[str, Any], where: str) -> FaultKind:
    """The fault that a table of the file asks for by `fault`, and by `how` where several share that; `where` is the
    table's place in the file, for the error.

    Raises:
        PlanError: the key is missing or not known; the text names the known values or the nearest one.
    """
    kinds = faults().values()
    tag = _value(table, "fault", {kind.tag for kind in kinds}, where)
    same = {kind.name: kind for kind in kinds if kind.tag == tag}
    if tag in same:
        return same[tag]
    return same[_value(table, "how", same, where)]


def _value(table: Mapping[str, Any], key: str, known: Iterable[str], where: str) -> str:
    known = sorted(known)
    value = table.get(key)
    if value is None:
        raise PlanError(f"{where}.{key}: say which: {', '.join(known)}")
    if value not in known:
        raise PlanError(f'{where}.{key}: there is no "{value}"; {_hint(str(value), known)}')
    return str(value)


def _hint(value: str, known: Iterable[str]) -> str:
    known = list(known)
    way = faults().get(value)
    if way is not None and way.tag != value:
        return f'write fault = "{way.tag}", how = "{value}"'
    return f"{did_you_mean(value, known)} known: {', '.join(known)}".lstrip()
