"""Whether a text is one of our sentences, whatever its wording is today."""

import re


def says(template: str, text: str) -> bool:
    """Whether `text` is the sentence `template` (a constant of a `words` module) with something filled in."""
    parts = re.split(r"\{[^}]*\}", template)
    return re.fullmatch(".*?".join(map(re.escape, parts)), text, re.DOTALL) is not None
