"""The faults of a run by number, as its manifest names them; a run of before that was written had the first seven."""

from typing import Any

from harness.errors import RunDirectoryError

FIRST = {
    1: ("close", True), 2: ("fin", True), 3: ("reset", True), 4: ("half-open", True), 5: ("stall", True),
    6: ("burst", False), 7: ("malformed", False),
}  # fmt: skip
"""Name, and whether it takes the connection away."""


class Faults:
    """What the numbers in FAULT and LIFT rows mean."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        table = manifest.get("faults")
        self._kinds = FIRST if table is None else {int(n): (each["label"], each["drops"]) for n, each in table.items()}

    @property
    def drops(self) -> list[int]:
        """The numbers of those that take a connection away."""
        return [number for number, (_, drops) in self._kinds.items() if drops]

    @property
    def provoking(self) -> list[int]:
        """The numbers of those for which an endpoint may close the connection while they last; malformed payloads have
        rows of their own, which say more exactly when.
        """
        return [number for number, (name, drops) in self._kinds.items() if not drops and name != "malformed"]

    @property
    def labels(self) -> dict[int, str]:
        """The name of each by its number."""
        return {number: name for number, (name, _) in self._kinds.items()}

    def label(self, number: int) -> str:
        """What a fault is called.

        Raises:
            RunDirectoryError: the manifest does not name it.
        """
        if number not in self._kinds:
            raise RunDirectoryError(f"run.json names no fault number {number}")
        return self._kinds[number][0]

    def number(self, label: str) -> int:
        """The number of a fault; -1 where the run knows none of that name."""
        return next((number for number, (name, _) in self._kinds.items() if name == label), -1)
