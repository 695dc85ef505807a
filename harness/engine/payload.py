"""The text of the messages that scenarios send."""

import random

LETTERS = "etaoinshrdlu" * 3 + "cmfwypvbgkjqxz" + " " * 8


def payload_text(seed: int, size: int) -> str:
    """Text of `size` characters: ASCII, compressible like prose, the same for the same seed."""
    return "".join(random.Random(f"{seed}-text").choices(LETTERS, k=size))
