"""What must never be written down, and text without it: a refusal may echo what it refused.

It must not know where a secret came from. The subtle thing: ten thousand tokens cannot each be looked for in each
refusal, so they are filed under their first letters, and a text is walked through once.
"""

import re
from urllib.parse import quote

from ..plan import MASK

LOOKS_LIKE_A_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
SHORTEST = 4
"""A shorter secret cannot be hidden without taking words apart, and hides nothing."""


class Hiding:
    """Every secret and token of one process."""

    def __init__(self) -> None:
        self._filed: dict[str, set[str]] = {}

    def __repr__(self) -> str:
        return f"Hiding({sum(map(len, self._filed.values()))} secrets)"

    def add(self, secret: str) -> None:
        """Hide this from now on, as it is and as it stands in a url."""
        for form in {secret, quote(secret, safe=""), quote(secret)}:
            if len(form) >= SHORTEST:
                self._filed.setdefault(form[:SHORTEST], set()).add(form)

    def forget(self, secret: str) -> None:
        """A token that has been replaced need not be kept for ever."""
        for form in {secret, quote(secret, safe=""), quote(secret)}:
            filed = self._filed.get(form[:SHORTEST], set())
            filed.discard(form)

    def conceal(self, text: str) -> str:
        """The text without what is ours to hide, and without what looks like a JWT."""
        text = LOOKS_LIKE_A_JWT.sub(MASK, text)
        parts, begin, at = [], 0, 0
        while at <= len(text) - SHORTEST:
            filed = self._filed.get(text[at : at + SHORTEST])
            longest = max((len(secret) for secret in filed or () if text.startswith(secret, at)), default=0)
            if longest:
                parts += [text[begin:at], MASK]
                at = begin = at + longest
            else:
                at += 1
        return "".join([*parts, text[begin:]])
