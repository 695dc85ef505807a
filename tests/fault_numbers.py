"""The numbers of the faults as an enumeration, for tests that write rows: DROP_RESET, BURST, ..."""

from enum import IntEnum

from harness.plan.fault_registry import faults

Fault = IntEnum(
    "Fault", {kind.title.replace(" ", "_").replace("-", "_").upper(): kind.number for kind in faults().values()}
)
