"""What every table of a plan is built from: an immutable struct that knows no unknown key, and checked numbers."""

from typing import Annotated, Any

from msgspec import Meta, Struct

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(gt=0, le=1)]

Template = dict[str, Any] | list[Any] | str
"""A frame to send: JSON whose strings may hold placeholders."""


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """The base of every table of a plan: immutable, no unknown key."""
