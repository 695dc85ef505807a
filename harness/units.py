"""Units of time. All times are integer nanoseconds; these say how many of them there are."""

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
