"""What must never be written down, and text without it: a refusal may echo what it refused.

Ten thousand tokens cannot each be looked for in each refusal, so they are filed under their first letters, and a text
is walked through once. A text is often cut short (a close reason has room for 123 bytes), so one that ends in the
beginning of a secret is cut there.
"""

import json
import re
from bisect import bisect_left, insort
from urllib.parse import quote, quote_plus

from ..plan import MASK

LOOKS_LIKE_A_JWT = re.compile(r"eyJ[\w-]{5,}(?:\.[\w-]*){0,2}")
SHORTEST = 4
"""A shorter secret cannot be hidden without taking words apart, and hides nothing."""


class Redaction:
    """Every secret and token of one process."""

    def __init__(self) -> None:
        self._filed: dict[str, list[str]] = {}

    def __repr__(self) -> str:
        return f"Redaction({sum(map(len, self._filed.values()))} secrets)"

    def add(self, secret: str) -> None:
        """Hide this from now on, as it is and as it is spelt in urls, forms and JSON."""
        for form in _forms(secret):
            filed = self._filed.setdefault(form[:SHORTEST], [])
            if not _holds(filed, form):
                insort(filed, form)

    def forget(self, secret: str) -> None:
        """Forget a token that has been replaced."""
        for form in _forms(secret):
            filed = self._filed.get(form[:SHORTEST], [])
            if _holds(filed, form):
                del filed[bisect_left(filed, form)]

    def conceal(self, text: str) -> str:
        """The text without what is ours to hide, and without what looks like a JWT."""
        text = LOOKS_LIKE_A_JWT.sub(MASK, text)
        parts, begin, at = [], 0, 0
        while at <= len(text) - SHORTEST:
            filed = self._filed.get(text[at : at + SHORTEST])
            length = _longest(filed, text[at:]) if filed else 0
            if length:
                parts += [text[begin:at], MASK]
                at = begin = at + length
            else:
                at += 1
        return "".join([*parts, text[begin:]])


def _forms(secret: str) -> set[str]:
    """As it is, and as it is spelt in a url, a form and JSON: an endpoint may echo what it was sent as it was sent."""
    urls = (quote(secret, safe=""), quote(secret), quote_plus(secret))
    strings = (json.dumps(secret, ensure_ascii=ascii)[1:-1] for ascii in (True, False))
    return {form for form in (secret, *urls, *strings) if len(form) >= SHORTEST}


def _holds(filed: list[str], form: str) -> bool:
    at = bisect_left(filed, form)
    return at < len(filed) and filed[at] == form


def _longest(filed: list[str], text: str) -> int:
    """How much of the text's beginning is a secret, or, up to the text's end, the beginning of one; 0: nothing."""
    at = bisect_left(filed, text)
    if at < len(filed) and filed[at].startswith(text):
        return len(text)
    # A secret that the text begins with sorts before the text; each shorter one is a beginning of the one tried before.
    known = text
    while at := bisect_left(filed, known):
        before = filed[at - 1]
        if text.startswith(before):
            return len(before)
        known = known[: _common(before, known)]
        if len(known) < SHORTEST:
            return 0
        if _holds(filed, known):
            return len(known)
    return 0


def _common(one: str, other: str) -> int:
    """How many letters two texts begin with alike."""
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return length
