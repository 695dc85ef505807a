"""Which request of a session an answer belongs to: by the number in its id, by the one probe under way, or too late;
and for how many requests an error has come that does not say which it answers.

Pure bookkeeping: it sends, records and tells nothing.
"""

from ..record.row import Kind, SignalKind
from ..wire.ids import read_seq
from .receipts import Receipt, Receipts

ANSWERED_BY = {
    SignalKind.ACK: (Kind.JOIN, Kind.LEAVE, Kind.PROBE),
    SignalKind.PONG: (Kind.PING,),
    SignalKind.ERROR: tuple(Kind),
}
"""What each kind of frame may answer, beside messages."""

MOST_SPANS = 32
"""How many spans of given-up numbers one session remembers."""


class GivenUp:
    """The numbers of requests that were given up, as spans [first, last]; the oldest are forgotten.

    An endpoint that answers nothing for long leaves one span, however many requests that were.
    """

    __slots__ = ("_spans",)

    def __init__(self) -> None:
        self._spans: list[list[int]] = []

    def add(self, seq: int) -> None:
        """One more; they come in ascending order but for those of probes."""
        spans = self._spans
        if spans and spans[-1][1] == seq - 1:
            spans[-1][1] = seq
        else:
            spans.append([seq, seq])
            if len(spans) > MOST_SPANS:
                del spans[0]

    def __contains__(self, seq: int) -> bool:
        return any(first <= seq <= last for first, last in self._spans)

    def __len__(self) -> int:
        """How many spans are remembered."""
        return len(self._spans)


class Matching:
    """The requests of one session that wait for an answer, and what is needed to recognise one.

    Args:
        prefix: the session's `message_prefix`.
        plain: whether a plain number is an id of the session.
    """

    __slots__ = ("forgotten", "given_up", "plain", "prefix", "probe", "receipts", "seq", "unattributed")

    def __init__(self, prefix: str, plain: bool = True) -> None:
        self.prefix = prefix
        self.plain = plain
        self.seq = 0
        """The number of the last message or request."""
        self.receipts = Receipts()
        self.probe: Receipt | None = None
        """The malformed payload under way: its error may have no id."""
        self.given_up: GivenUp | None = None
        """None: nothing was; most sessions never need it."""
        self.forgotten = 0
        """The number of the last message or request of the session that had the seat before."""
        self.unattributed: list[int] | None = None
        """For each error that may answer any of several requests: the last number that had been sent when it came."""

    def next_seq(self) -> int:
        """Take the next number."""
        self.seq += 1
        return self.seq

    def number(self, text: str | None) -> int | None:
        """The message number that an id names; None where the id is absent or not one of this session's."""
        return read_seq(text, self.prefix, self.plain) if text is not None else None

    def take(self, text: str | None) -> Receipt | None:
        """Take the open request that an id names; None where it names none."""
        seq = read_seq(text, self.prefix, self.plain) if text is not None else None
        return self.receipts.pop(seq, None) if seq is not None else None

    def take_probe(self) -> Receipt | None:
        """Take the probe under way, if there is one: the answer to it may lack its id, which the damage may have
        destroyed.
        """
        return self.receipts.pop(self.probe.seq, None) if self.probe is not None else None

    def answerable(self, kind: SignalKind, published: bool) -> list[Receipt]:
        """The open requests that a frame of this kind may answer, the oldest first; `published`: messages, too."""
        kinds = ANSWERED_BY[kind]
        return [
            receipt
            for receipt in self.receipts.values()
            if (published if receipt.kind is Kind.PUBLISH else receipt.kind in kinds)
        ]

    def unattributable(self) -> None:
        """An error has come that may answer any of the requests that are open now."""
        if self.unattributed is None:
            self.unattributed = []
        self.unattributed.append(self.seq)
        if len(self.unattributed) > len(self.receipts):
            del self.unattributed[0]  # there are no more requests than that for it to answer

    def claim(self, receipt: Receipt) -> bool:
        """Whether an unattributed error may be the answer to this request, which got none; it is used up by that."""
        for at, last in enumerate(self.unattributed or ()):
            if receipt.seq <= last:
                del (self.unattributed or [])[at]
                return True
        return False

    def awaits(self, receipt: Receipt) -> bool:
        """Whether the answer to this request is still waited for."""
        return self.receipts.get(receipt.seq) is receipt

    def give_up(self, receipt: Receipt) -> None:
        """Remember that this request was given up, so that its answer is known as late."""
        if self.given_up is None:
            self.given_up = GivenUp()
        self.given_up.add(receipt.seq)

    def is_late(self, seq: int) -> bool:
        """Whether an answer to this number comes after the request was given up."""
        return self.given_up is not None and seq in self.given_up

    def forget(self) -> None:
        """A fresh session takes the seat: what the one before gave up does not matter any more."""
        self.given_up = self.unattributed = None
        self.forgotten = self.seq
