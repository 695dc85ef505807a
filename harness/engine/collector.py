"""Python's garbage collector, tuned for a run: it must never pause us for long."""

import gc

THRESHOLDS = (5_000, 500, 1_000)
"""How often the collector looks at which generation: at the youngest for half a millisecond each time."""
YOUNGEST, OLDEST = 0, 2
"""Of the collector's generations."""


def calm_collector(generation: int = OLDEST) -> None:
    """Exempt what exists now from collection; what comes later forms no cycles.

    Args:
        generation: up to which objects are looked through once before that. With sessions there, only YOUNGEST: looking
            through all of 10,000 took up to 0.6 s, in which nothing was read.
    """
    gc.collect(generation)
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
