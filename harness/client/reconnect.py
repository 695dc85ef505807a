"""When to try again, and when not to: pure functions of the plan's `[reconnect]` and of what the endpoint answered.

`Retry-After` (RFC 9110 10.2.3) is either seconds or an HTTP date. The date is on the endpoint's wall clock; it is
compared with ours, and one in the past means "now".
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ..plan import Reconnect
from ..record.codes import code_numbers
from ..record.row import Closer, Outcome
from ..units import SECOND

LEAST_CLOSE_CODE = 1_000
"""RFC 6455 7.4.2: codes below are not used in close frames."""
MOST_DOUBLINGS = 1_000
"""Exponents beyond this would overflow a float; the cap has long been reached."""

LONGEST_ASKED_S = 999_999_999
"""What a `Retry-After` of more digits counts as."""
TWO_DIGIT_YEAR = re.compile(r"\s*[A-Za-z]+, *\d{1,2}-[A-Za-z]{3}-(\d\d) ")
"""An rfc850-date up to its year."""
LATEST_YEARS = 50
"""A year of two digits is never further in the future (RFC 9110 5.6.7)."""


def pause_ns(policy: Reconnect, attempt: int, chance: float) -> int:
    """How long to wait before the attempt-th try (from 0); `chance` is random in [0, 1)."""
    try:
        longest_s = min(policy.cap_s, policy.first_s * policy.factor ** min(attempt, MOST_DOUBLINGS))
    except OverflowError:
        longest_s = policy.cap_s
    return round((chance if policy.jitter == "full" else 1.0) * longest_s * SECOND)


def retry_after_ns(policy: Reconnect, headers: Iterable[tuple[str, str]], wall_s: float) -> int:
    """What a refusal asks us to wait, at the wall-clock time `wall_s`; 0 when it does not, or not readably."""
    if not policy.retry_after:
        return 0
    for name, value in headers:
        if name.lower() == "retry-after":
            return round((asked_s(value, wall_s) or 0.0) * SECOND)
    return 0


def asked_s(value: str, wall_s: float) -> float | None:
    """How many seconds a `Retry-After` asks for.

    Args:
        value: the header's value: seconds, or a date in any of the three forms of RFC 9110 5.6.7.
        wall_s: our wall clock, in seconds since 1970.

    Returns:
        Seconds from 0 to `LONGEST_ASKED_S`; None if the value is unreadable.
    """
    value = value.strip()
    if value.isascii() and value.isdecimal():
        digits = value.lstrip("0")
        return float(min(int(digits[:10] or "0"), LONGEST_ASKED_S))
    try:
        return max(0.0, _http_date(value, wall_s).timestamp() - wall_s)
    except (ValueError, OverflowError):
        return None


def _http_date(value: str, wall_s: float) -> datetime:
    """Read an HTTP date; one that names no zone (asctime) is in UTC.

    Raises:
        ValueError, OverflowError: it is not a date.
    """
    date = parsedate_to_datetime(value)
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    if found := TWO_DIGIT_YEAR.match(value):
        latest = datetime.fromtimestamp(wall_s, UTC).year + LATEST_YEARS
        date = date.replace(year=latest - (latest - int(found[1])) % 100)
    return date


def is_terminal_refusal(policy: Reconnect, outcome: Outcome, code: int) -> bool:
    """Whether a refused opening or join would be refused again: only what the endpoint itself said counts."""
    return outcome is Outcome.REJECTED and code in code_numbers(policy.terminal_codes)


def is_terminal_close(policy: Reconnect, closer: Closer, code: int) -> bool:
    """Whether the endpoint's close frame says not to come back.

    An errno or a code of ours never does, nor does an HTTP status, with which a poll broke a conversation off: the
    next conversation's first poll tells whether it is for good.
    """
    return closer is Closer.ENDPOINT and code >= LEAST_CLOSE_CODE and code in code_numbers(policy.terminal_codes)
