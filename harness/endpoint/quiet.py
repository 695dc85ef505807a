"""A log that cannot be flooded: lines beyond a rate are counted, not written.

stderr may be a pipe that nobody reads fast, and a blocked write would stall every client.
"""

import logging
import time

from aiohttp.http_exceptions import HttpProcessingError


class AtMost:
    """Writes at most `per_s` lines in each second of the clock, then one line that says how many were left out."""

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


class ClientFaults(logging.Filter):
    """For aiohttp's log: a request that is not HTTP is the client's fault and gets one line, not a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten such a record; pass every other one unchanged."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.msg, record.args = "refused with 400: not HTTP (%s)", (" ".join(error.message.split())[:200],)
            record.exc_info = None
        return True
