"""Nobody hears an answer before what it answers: `order = "causal"`.

If session S had read A before it sent B to the same room, a receiver of both must hear A first. A message is sent
before anybody hears it, so the sending times are one order that respects all causes, and a violation is a descent in
it: B before A where A was sent first. B can be an answer only if it was sent after somebody had heard A, which leaves
next to nothing of a right endpoint's descents; for what is left, the time at which B's sender read A decides. The late
delivery is that of A. Messages of one sender are judged by their numbers (`sequences.py`) and not here.
"""

from typing import NamedTuple

import numpy as np

from ..rows import Array
from .sequences import NOTHING, Disorder, Heard, Inversion, Sequences, highest_so_far, in_sequences, overtaken

MOST_PAIRS = 20_000_000
"""So many pairs (message, possible answer) are looked at; what is beyond is counted as not judged."""
PAIRS_AT_ONCE = 2_000_000


class Readings(NamedTuple):
    """Every delivery: to whom, of which message, and when it was read."""

    session: Array
    message: Array
    read: Array


def late_of_causes(heard: Heard, sender: Array, sent: Array, first_read: Array, readings: Readings) -> Disorder:
    """The deliveries that came after an answer to them.

    Args:
        heard: in the order of `place`.
        sender: the sender of each message.
        sent: when each message was sent.
        first_read: when each message was first read by anybody.
        readings: every delivery.
    """
    by_rank = np.argsort(sent, kind="stable")
    rank = np.empty(len(by_rank), np.int64)
    rank[by_rank] = np.arange(len(by_rank))
    # The first rank that was sent after it was heard; a message is heard after it was sent, whatever the clocks say.
    answers = np.searchsorted(sent[by_rank], first_read[by_rank], side="right")
    answers = np.maximum(answers, np.arange(1, len(by_rank) + 1))
    disturbed = overtaken(heard, rank, answers)
    if not len(disturbed):
        return NOTHING
    some = np.zeros(int(heard.member.max()) + 1, bool)
    some[disturbed] = True
    sequences = in_sequences(heard.of(some[heard.member]), rank)
    highest = highest_so_far(sequences, len(by_rank))
    late = np.flatnonzero(highest >= answers[sequences.rank])
    message = by_rank[sequences.rank]
    known = _Known(readings, message[late], len(sent))
    begin = sequences.begins[np.searchsorted(sequences.begins, late, side="right") - 1]
    return _answered(
        _Doubts(late, begin, answers[sequences.rank[late]]), sequences, highest, message, sender, sent, known
    )


class _Known:
    """When a session read a message."""

    def __init__(self, readings: Readings, wanted: Array, messages: int) -> None:
        asked = np.zeros(messages, bool)
        asked[wanted] = True
        chosen = np.flatnonzero(asked[readings.message])
        self._size = messages
        key = readings.session[chosen].astype(np.int64) * messages + readings.message[chosen]
        order = np.lexsort((readings.read[chosen], key))
        self._key, first = np.unique(key[order], return_index=True)
        self._index = chosen[order][first]
        self._read = readings.read

    def before(self, session: Array, message: Array, time: Array) -> tuple[Array, Array]:
        """Whether each session had read each message before a time, and the place of that delivery."""
        wanted = session.astype(np.int64) * self._size + message
        at = np.minimum(np.searchsorted(self._key, wanted), len(self._key) - 1)
        index = self._index[at]
        return (self._key[at] == wanted) & (self._read[index] < time), index


class _Doubts(NamedTuple):
    """Deliveries that may have come after an answer: where, where their sequence begins, and the least rank of one."""

    late: Array
    begin: Array
    least: Array


def _answered(
    doubts: _Doubts, sequences: Sequences, highest: Array, message: Array, sender: Array, sent: Array, known: _Known
) -> Disorder:
    """Compare each doubtful delivery with everything before it that can be an answer."""
    # What is before the first of a high enough rank is too low: the highest rank so far only ascends.
    since = np.array(
        [begin + np.searchsorted(highest[begin:end], least) for end, begin, least in zip(*doubts, strict=True)],
        np.int64,
    )
    count = doubts.late - since
    total = np.cumsum(count)
    judged = int(np.searchsorted(total, MOST_PAIRS, side="right"))
    found: list[Array] = []
    example: Inversion | None = None
    begin = 0
    while begin < judged:
        done = total[begin - 1] if begin else 0
        end = min(judged, max(begin + 1, int(np.searchsorted(total, done + PAIRS_AT_ONCE, side="right"))))
        some = count[begin:end]
        which = np.repeat(np.arange(begin, end), some)
        before = np.repeat(since[begin:end] - (np.cumsum(some) - some), some) + np.arange(len(which))
        question, answer = message[doubts.late[which]], message[before]
        author = sender[answer]
        wrong, index = known.before(author, question, sent[answer])
        wrong &= author != sender[question]
        if wrong.any():
            found.append(np.unique(which[wrong]))
            if example is None:
                one = int(np.argmax(wrong))
                here = sequences.place[doubts.late[which[one]]], sequences.place[before[one]]
                example = Inversion(
                    int(question[one]), int(answer[one]), (int(index[one]), -1), (int(here[0]), int(here[1]))
                )
        begin = end
    if not found:
        return Disorder(NOTHING.late, None, len(count) - judged)
    late = np.sort(sequences.place[doubts.late[np.concatenate(found)]])
    return Disorder(late, example, len(count) - judged)
