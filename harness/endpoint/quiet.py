"""A log that cannot be flooded: what is beyond so many lines a second is counted, not written.

The subtle thing: stderr may be a pipe that nobody reads fast; a blocked write there would stall every client.
"""

import logging
import time


class AtMost:
    """Writes at most `per_s` lines in any second of the clock, then one line that says how many were left out."""

    def __init__(self, log: logging.Logger, per_s: int) -> None:
        self._log = log
        self._per_s = per_s
        self._second = 0
        self._written = 0

    def info(self, text: str, *values: object) -> None:
        """As `Logger.info`."""
        second = int(time.monotonic())
        if second != self._second:
            if self._written > self._per_s:
                self._log.info("%d more lines of this kind were left out", self._written - self._per_s)
            self._second, self._written = second, 0
        self._written += 1
        if self._written <= self._per_s:
            self._log.info(text, *values)
