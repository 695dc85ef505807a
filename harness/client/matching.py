"""Which request of a session an answer belongs to: by the number in its id, by the one probe under way, or too late.

Pure bookkeeping: it sends, records and tells nothing.
"""

from ..wire.ids import read_seq
from .receipts import Receipt, Receipts

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

    __slots__ = ("given_up", "plain", "prefix", "probe", "receipts", "seq")

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

    def next_seq(self) -> int:
        """Take the next number."""
        self.seq += 1
        return self.seq

    def number(self, text: str | None) -> int | None:
        """The message number that an id names; None where the id is absent or not one of this session's."""
        return read_seq(text, self.prefix, self.plain) if text is not None else None

    def take(self, text: str | None, is_error: bool) -> Receipt | None:
        """Take the request that an answer with this id belongs to.

        Args:
            text: the id in the answer; None if it has none.
            is_error: an error that names no open request belongs to the probe under way, if there is one: the damage
                may have destroyed the id.

        Returns:
            None where no open request is meant.
        """
        seq = read_seq(text, self.prefix, self.plain) if text is not None else None
        receipt = self.receipts.pop(seq, None) if seq is not None else None
        if receipt is None and is_error and self.probe is not None:
            receipt = self.receipts.pop(self.probe.seq, None)
        return receipt

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
        self.given_up = None
