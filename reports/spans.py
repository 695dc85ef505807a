"""Seconds in words: `seconds 14-16, 21`."""

from collections.abc import Iterable

MOST_SPANS = 8


def spans(seconds: Iterable[int]) -> str:
    """Seconds in words.

    >>> spans([14, 15, 16, 21])
    'seconds 14-16, 21'
    """
    runs: list[list[int]] = []
    for second in sorted(seconds):
        if runs and second == runs[-1][1] + 1:
            runs[-1][1] = second
        else:
            runs.append([second, second])
    named = [str(begin) if begin == end else f"{begin}-{end}" for begin, end in runs[:MOST_SPANS]]
    more = f" and {len(runs) - MOST_SPANS} more" if len(runs) > MOST_SPANS else ""
    return f"second{'s' if len(runs) > 1 or runs[0][0] != runs[0][1] else ''} {', '.join(named)}{more}" if runs else ""
