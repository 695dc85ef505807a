"""The texts of the messages that scenarios send, and whether what arrives is what was sent.

Which text a message has follows from its session and number, so every process knows it. The texts begin with a mark
each, hold letters of one to four bytes in UTF-8, and have neither spaces at their ends nor two in a row, since an
endpoint may take those away.
"""

import random
import re

from ..record.row import Content

LETTERS = "etaoinshrdlu" * 3 + "cmfwypvbgkjqxz" + " " * 8
BEYOND = ("éßñøåЖλи", "€あ中अ한한", "😀🚀𝄞")
"""Letters of two, three and four bytes."""
ONE_IN = 8
"""One letter in so many is one of these."""
MARK = 7
COMPARED = Content.COMPARED
MOST, FEWEST, MOST_BYTES = 64, 8, 1 << 20
ABSENT = "\0absent"
"""What a dialect gives for a text that it looked for and did not find."""


class Texts:
    """The texts of one run, all of the same length.

    Args:
        seed: the plan's.
        size: the length of each in bytes.
    """

    def __init__(self, seed: int, size: int) -> None:
        chance = random.Random(f"{seed}-text")
        count = MOST
        while count > FEWEST and count * size > MOST_BYTES:
            count //= 2
        marked = size >= 4 * MARK
        body = _body(chance, size - MARK - 1 if marked else size)
        marks = _marks(chance, count) if marked else [""] * count
        self._texts = [
            f"{mark} {_turned(body, number * len(body) // count)}" if marked else _body(chance, size)
            for number, mark in enumerate(marks)
        ]
        self._last = count - 1
        self._marks = re.compile("|".join(marks)) if marked else None
        self.sign = self._texts[0]
        """The text that scenarios get; each message that is sent with it gets its own text instead."""

    def of(self, session: int, seq: int) -> str:
        """The text of a message."""
        return self._texts[session * 31 + seq & self._last]

    def compare(self, session: int, seq: int, found: str) -> int:
        """What a delivery contains in place of this message's text, as bits of Content."""
        sent = self._texts[session * 31 + seq & self._last]
        if found == sent:
            return COMPARED
        if found is ABSENT:
            return Content.COMPARED | Content.ALTERED | Content.UNLIKE
        is_like = bool(found) and (sent.startswith(found) or (self._marks and self._marks.search(found)))
        return Content.COMPARED | (Content.ALTERED if is_like else Content.UNLIKE)


def _body(chance: random.Random, size: int) -> str:
    """Words of so many bytes, as far as they fit with letters of every length."""
    letters: list[str] = []
    left = size
    wanted = [width for width in (2, 3, 4) if size >= 12 or (width == size)]
    while left:
        width = 1
        if wanted and wanted[0] <= left:
            width = wanted.pop(0)
        elif left > 8 and not chance.randrange(ONE_IN):
            width = chance.choice((2, 3, 4))
        letter = chance.choice(BEYOND[width - 2] if width > 1 else LETTERS)
        if letter == " " and (not letters or letters[-1] == " " or left == 1):
            letter = "e"
        letters.append(letter)
        left -= width
    return "".join(letters)


def _marks(chance: random.Random, count: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(chance.choices(LETTERS.replace(" ", ""), k=MARK))] = None
    return list(found)


def _turned(body: str, start: int) -> str:
    """The same letters from another one on, and no space at either end."""
    while start and (body[start] == " " or body[start - 1] == " "):
        start -= 1
    return body[start:] + body[:start]
