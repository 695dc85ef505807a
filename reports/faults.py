"""The faults of a run by number, as its manifest names them; runs of before that was written had the first seven."""

from harness.errors import RunDirectoryError

from .manifest import FaultKind

FIRST = {
    1: FaultKind("close", True),
    2: FaultKind("fin", True),
    3: FaultKind("reset", True),
    4: FaultKind("half-open", True, True),
    5: FaultKind("stall", True, True),
    6: FaultKind("burst", False),
    7: FaultKind("malformed", False),
}


class Faults:
    """What the numbers in FAULT and LIFT rows mean.

    Args:
        kinds: the table of the manifest; None for runs that have none.
    """

    def __init__(self, kinds: dict[int, FaultKind] | None) -> None:
        self._kinds = FIRST if kinds is None else kinds

    @property
    def drops(self) -> list[int]:
        """The numbers of faults that take a connection away."""
        return [number for number, kind in self._kinds.items() if kind.drops]

    @property
    def provoking(self) -> list[int]:
        """The numbers of faults during which an endpoint may close the connection.

        Malformed payloads have rows of their own, which say more exactly when.
        """
        return [number for number, kind in self._kinds.items() if not kind.drops and kind.label != "malformed"]

    @property
    def deaf(self) -> list[int]:
        """The numbers of faults whose client stops reading, or reads slowly."""
        return [number for number, kind in self._kinds.items() if kind.deaf]

    @property
    def labels(self) -> dict[int, str]:
        """The name of each fault by its number."""
        return {number: kind.label for number, kind in self._kinds.items()}

    def label(self, number: int) -> str:
        """The name of a fault.

        Raises:
            RunDirectoryError: the manifest does not name it.
        """
        if number not in self._kinds:
            raise RunDirectoryError(f"run.json names no fault number {number}")
        return self._kinds[number].label

    def number(self, label: str) -> int:
        """The number of a fault; -1 where the run knows none of that name."""
        return next((number for number, kind in self._kinds.items() if kind.label == label), -1)
