"""`[check]`: the dry run that `squall check` is, and that `squall run` begins with."""

from .section import Section


class Check(Section, frozen=True, kw_only=True):
    """The dry run: two sessions of one room send one message of each kind, and what comes back is shown.

    `before_run` lets `squall run` do it first. `text` is what its message says, for endpoints that do not take any
    text; "" is a text of `load.payload_bytes`.
    """

    before_run: bool = True
    text: str = ""
