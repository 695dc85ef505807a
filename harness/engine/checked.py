"""What came of a dry run, and how it is shown."""

from typing import NamedTuple

from ..units import SECOND
from .transcript import Line


class Asked(NamedTuple):
    """One thing that should be recognised.

    Args:
        what: for people.
        is_good: whether it was, and was no refusal.
        is_recognised: whether anything came that was taken for it, a refusal included.
        found: what came of it, for people.
    """

    what: str
    is_good: bool
    is_recognised: bool
    found: str


class Found(NamedTuple):
    """What came of a dry run.

    Args:
        began_ns: when it began; the lines' times are on the same clock.
        lines: every frame and its meaning, in order.
        left_out: how many lines were too many to keep.
        said: how many frames were made to be sent.
        asked: what should have been recognised; empty where the plan expects nothing back.
        frames: how many frames came.
        strange: how many of them were not recognised.
    """

    began_ns: int
    lines: tuple[Line, ...]
    left_out: int
    said: int
    asked: tuple[Asked, ...]
    frames: int
    strange: int

    @property
    def is_good(self) -> bool:
        """Whether everything that was asked for was recognised."""
        return all(each.is_good for each in self.asked)

    @property
    def is_blind(self) -> bool:
        """Whether something was asked for, and nothing at all was recognised."""
        return bool(self.asked) and not any(each.is_recognised for each in self.asked)


def render(found: Found) -> list[str]:
    """The dry run in lines of text: every frame with its meaning, then what was recognised."""
    told = []
    for line in found.lines:
        at_s = (line.at_ns - found.began_ns) / SECOND
        told.append(f"{at_s:7.3f}  session {line.session} {line.sign} {line.text}".rstrip())
        if line.meaning:
            told.append(f"{'':11}{line.meaning}")
    if found.left_out:
        told.append(f"({found.left_out} more lines)")
    told.append("")
    told += [f"{'ok' if each.is_good else 'NOT OK':<8}{each.what}: {each.found}" for each in found.asked]
    return told
