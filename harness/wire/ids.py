"""How the names of a run are built and read back. No other module knows what they look like.

    session      NONCE-7       the sender: session 7 of the run with this nonce
    message      NONCE-7-12    the correlation id of its message 12
    connection   NONCE-7-2     the key under which the endpoint may list its connection 2 (`{key}` of a url or header)

An endpoint may send anything at all. A number that no session of the run could have, or that a row could not hold, is
not one of ours, and reading never raises.
"""

import re
import zlib
from functools import cache

from ..record.row import CONN_BITS, SEQ_BITS, Content
from .signal import Signal
from .texts import Texts

SEQ_LIMIT, CONN_LIMIT = 1 << SEQ_BITS, 1 << CONN_BITS
FEW_DIGITS = len(str(SEQ_LIMIT)) - 1
"""A message number with at most this many digits is below the limit."""
MOST_NAMES = 1 << 16
"""How many senders' names are kept at most."""
MOST_DIGITS = 100
"""Longer numbers are not read: Python is slow with them and refuses those of more than 4,300 digits."""


def session_name(nonce: str, session: int) -> str:
    """The name of a session, as the sender of its messages."""
    return f"{nonce}-{session}"


def check_nonce(nonce: str) -> str:
    """The nonce of what is sent before a run with this nonce, to see whether the plan describes the endpoint."""
    return f"{nonce}x"


def message_id(name: str, seq: int) -> str:
    """The correlation id of message `seq` of the session with this name."""
    return f"{name}-{seq}"


def connection_key(name: str, conn: int) -> str:
    """The name of connection `conn` (0 = first) of the session with this name."""
    return f"{name}-{conn}"


def message_prefix(name: str) -> str:
    """What precedes the number in each message id of the session with this name."""
    return f"{name}-"


def read_seq(text: str, prefix: str, plain: bool = True) -> int | None:
    """The number of a message of one session.

    Args:
        text: the message's id, or the plain number if the protocol's ids are numbers.
        prefix: the session's `message_prefix`.
        plain: whether a plain number is an id of the session; otherwise it is one of the endpoint's own.

    Returns:
        None if it is not an id of this session.

    >>> read_seq("k3-7-12", "k3-7-"), read_seq("12", "k3-7-"), read_seq("k3-8-12", "k3-7-")
    (12, 12, None)
    """
    number = text.removeprefix(prefix)
    if not plain and len(number) == len(text):
        return None
    if len(number) <= FEW_DIGITS and number.isdecimal():
        return int(number)
    return _below(SEQ_LIMIT, number)


def read_connection_key(text: str, nonce: str, sessions: int) -> tuple[int, int] | None:
    """The session and connection that a key names.

    Args:
        text: a key from the endpoint's list.
        nonce: the run's.
        sessions: how many sessions the run has.

    Returns:
        None if it is not a connection of this run.

    >>> read_connection_key("k3-7-2", "k3", 8), read_connection_key("k3-8-2", "k3", 8)
    ((7, 2), None)
    """
    run, _, rest = text.partition("-")
    session_text, _, conn_text = rest.partition("-")
    if run != nonce:
        return None
    session, conn = _below(sessions, session_text), _below(CONN_LIMIT, conn_text)
    return (session, conn) if session is not None and conn is not None else None


def find_ids(data: bytes, nonce: str, most: int = 64) -> list[tuple[int, int]]:
    """The messages of a run that a frame names anywhere, as (session, number), each once and in order.

    Args:
        data: the frame.
        nonce: the run's.
        most: how many at most.

    >>> find_ids(b'{"a": "k3-7-12", "b": ["k3-8-1", "k3-7-12"], "key": "k3-7"}', "k3")
    [(7, 12), (8, 1)]
    """
    found: dict[tuple[int, int], None] = {}
    for match in _id_pattern(nonce).finditer(data):
        session, seq = int(match[1]), int(match[2])
        if 0 < seq < SEQ_LIMIT:  # 0 is none: it is a session's first connection
            found[session, seq] = None
            if len(found) == most:
                break
    return list(found)


@cache
def _id_pattern(nonce: str) -> re.Pattern[bytes]:
    return re.compile(rb"%s-(\d{1,9})-(\d{1,11})(?!\d)" % re.escape(nonce.encode()))


def _below(limit: int, text: str) -> int | None:
    """A text as a number; None if it is not one, or not below the limit."""
    if text.isdecimal() and len(text) <= MOST_DIGITS and (number := int(text)) < limit:
        return number
    return None


def _compare_nothing(_session: int, _seq: int, _text: str) -> int:
    return 0


class Senders:
    """Finds out whose message a delivery carries.

    Args:
        nonce: the run's.
        sessions: how many sessions the run has, over all processes.
        plain: whether a plain number is an id of the sender that the frame names.
        texts: the texts of its messages; None: they are not compared.
    """

    def __init__(self, nonce: str, sessions: int, plain: bool = True, texts: Texts | None = None) -> None:
        self._nonce = nonce
        self._plain = plain
        self._sessions = sessions
        self._compare = texts.compare if texts is not None else _compare_nothing
        self._named_by_id = False
        """Whether the last delivery's id, and not its sender's name, said whose message it was."""
        self._names: dict[str, int] = {}
        self._known: dict[str | None, int] = {}
        """The sessions seen so far, by name: this halves the cost of reading an id."""
        self._last: Signal | None = None
        self._origin: tuple[int, int] | None = None
        """The last result: every member of a room asks for the same message."""
        self.content = 0
        """What the last delivery contained, as a row's Content."""

    def origin(self, signal: Signal) -> tuple[int, int] | None:
        """(session, number) of the message that a delivery carries; None if it is not of this run."""
        if signal is not self._last:
            self._last = signal
            self._origin = origin = self._read(signal)
            if origin is not None:
                self.content = self._compare(origin[0], origin[1], signal.text) if signal.text is not None else 0
                name = signal.sender
                if name is not None and self._named_by_id:  # otherwise the name is what the message is known by
                    self.content |= self._names.get(name) or self._number(name)
        return self._origin

    def is_of_check(self, signal: Signal) -> bool:
        """Whether a delivery carries a message that was sent before the run, which an endpoint may replay."""
        before = f"{check_nonce(self._nonce)}-"
        return (signal.id or "").startswith(before) or (signal.sender or "").startswith(before)

    def _number(self, name: str) -> int:
        """The number of a name, in the bits of Content."""
        run, _, rest = name.partition("-")
        session = _below(self._sessions, rest.partition("-")[0]) if run == self._nonce else None
        if session is not None:
            number = Content.SESSION + session
        else:
            number = zlib.crc32(name.encode("utf-8", "surrogatepass")) % (Content.SESSION - 1) + 1
        number <<= Content.NAME_SHIFT
        if len(self._names) < MOST_NAMES:
            self._names[name] = number
        return number

    def _read(self, signal: Signal) -> tuple[int, int] | None:
        text = signal.id or ""
        name, dash, number = text.rpartition("-")
        if not dash and not self._plain:
            return None
        self._named_by_id = dash == "-"
        known = self._known.get(name if dash else signal.sender)
        if known is not None and len(number) <= FEW_DIGITS and number.isdecimal():
            return known, int(number)
        if not dash and signal.sender is not None:
            # Where ids are plain numbers, a frame names the sender separately, by its own name or its connection's.
            name = "-".join(signal.sender.split("-", 2)[:2])
        run, _, session_text = name.partition("-")
        if run != self._nonce:
            return None
        session, seq = _below(self._sessions, session_text), _below(SEQ_LIMIT, number)
        if session is None or seq is None:
            return None
        if name == session_name(run, session):  # one spelling only, so that there are no more entries than sessions
            self._known[name] = session
        return session, seq
