"""Whose message it is: a message's id, or a sender's name beside a plain number, read back to session and number.

Pure; it must not know frames. The subtle thing: what an endpoint sends is anything at all, so a number with more digits
than its column holds is no id of ours, and no more names are remembered than a run can have.
"""

from .signal import Signal

SESSION_DIGITS, SEQ_DIGITS = 10, 19
"""A number with as many digits may not fit its column: no id of ours has them."""
REMEMBERED = 1 << 20


def read_number(text: str) -> int | None:
    """The message number that a text is; None for what no session of ours counts to."""
    return int(text) if text.isdecimal() and len(text) < SEQ_DIGITS else None


class Senders:
    """The sessions of the run with this nonce, by how their ids begin."""

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce
        self._known: dict[str, int] = {}
        """Those heard of already: half the cost of reading the id each time."""
        self._last: Signal | None = None
        self._origin: tuple[int, int] | None = None
        """Of the last: what a whole room hears is read once and asked for by each of its members."""

    def origin(self, signal: Signal) -> tuple[int, int] | None:
        """(session, number) of the message that a delivery carries; None when it is none of this run's."""
        if signal is not self._last:
            self._last, self._origin = signal, self._read(signal)
        return self._origin

    def _read(self, signal: Signal) -> tuple[int, int] | None:
        text = signal.id or ""
        prefix, _, number = text.rpartition("-")
        known = self._known.get(prefix)
        if known is not None and number.isdecimal() and len(number) < SEQ_DIGITS:
            return known, int(number)
        run, _, rest = text.partition("-")
        if run == self._nonce:
            session, _, seq = rest.partition("-")
        else:
            # A protocol with plain numbers for ids tells the sender apart.
            seq = text
            run, _, session = (signal.sender or "").partition("-")
            session = session.partition("-")[0]
            if run != self._nonce:
                return None
        if not (session.isdecimal() and seq.isdecimal() and len(session) < SESSION_DIGITS and len(seq) < SEQ_DIGITS):
            return None
        if text == f"{run}-{session}-{seq}" and len(self._known) < REMEMBERED:
            self._known[f"{run}-{session}"] = int(session)
        return int(session), int(seq)


def message_id(nonce: str, session: int, seq: int) -> str:
    """The correlation id of a message: which run, which session, its how-manieth."""
    return f"{nonce}-{session}-{seq}"


def parse_id(text: str, nonce: str) -> tuple[int, int] | None:
    """Read (session, seq) out of an id that this run made; None for any other text.

    >>> parse_id(message_id("k3", 7, 12), "k3")
    (7, 12)
    """
    run, _, rest = text.partition("-")
    session, _, seq = rest.partition("-")
    if run != nonce or not (session.isdecimal() and seq.isdecimal()):
        return None
    return int(session), int(seq)


def connection_key(nonce: str, session: int, conn: int) -> str:
    """The name under which the endpoint may list one connection of ours (the `{key}` of a url or header)."""
    return f"{nonce}-{session}-{conn}"
