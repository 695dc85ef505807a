"""What a frame means, once a dialect has read it."""

import msgspec

from ..record.row import SignalKind


class Signal(msgspec.Struct, frozen=True, gc=False):
    """One past fact that a dialect read from the wire.

    `id` is the correlation id as text (None if the frame has none, "" if the protocol gives such frames none), `room`
    the room's name as the endpoint wrote it, `sender` the sender's name if the frame contains it, `code` the number of
    the error's code (0 if none; `record.codes`), `reason` its text. `text` is a delivery's own text (None: the
    dialect does not read it; `texts.ABSENT`: there is none).
    """

    kind: SignalKind
    id: str | None = None
    room: str | None = None
    sender: str | None = None
    code: int = 0
    reason: str = ""
    text: str | None = None
