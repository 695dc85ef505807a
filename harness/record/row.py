"""The nouns of a run: operations, outcomes, signals, and the one fixed-width row that everything is computed from.

Pure: no I/O, no clock, no third-party import. Times are integer nanoseconds on the monotonic clock; 0 in a time column
means *absent*, never "at zero". Subtle: the meaning of a row's columns depends on its kind, and the table in
`docs/run-directory.md` is the only description of that.
"""

import errno
from enum import IntEnum
from struct import Struct

FORMAT_VERSION = 2
MAGIC = b"SQUALLRW"

NO_ROOM = 0xFFFFFFFF
NO_PEER = 0xFFFFFFFF

OUR_ERRNOS = frozenset((errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM))
"""What the kernel says when this machine, not the endpoint, has no more: descriptors, local ports, memory."""


class Kind(IntEnum):
    """What a row is about."""

    OPEN = 1
    JOIN = 2
    PUBLISH = 3
    DELIVERY = 4
    LEAVE = 5
    CLOSE = 6
    PROBE = 7
    FAULT = 8
    LIFT = 9
    SEEN = 10
    GONE = 11
    LOOK = 12
    SAMPLE = 13
    STRAY = 14
    PING = 15
    RECOVERY = 16
    KEEPALIVE = 17
    FETCH = 18
    LOGIN = 19
    UNRECOGNISED = 20
    NAMED = 21


class Outcome(IntEnum):
    """How an operation ended; exactly one each. NONE is for rows that are not operations."""

    NONE = 0
    OK = 1
    REJECTED = 2
    CLOSED = 3
    EXPIRED = 4
    GARBLED = 5
    ABANDONED = 6


class Flag:
    """Facts about a row that need no column: plain numbers, because `|` of an IntFlag takes as long as two rows.

    EXACT and BOUNDED say what `arrived` is (docs/design.md, decision 4): the kernel's stamp of this very message, or an
    upper bound because a later message came with the same read. Neither: `arrived` equals `read`. WAITED: a request
    that waited for its HTTP connection to be free or made, so that its lag is not ours. ELSEWHERE: a delivery whose
    frame names a room that is not in the plan. NAMELESS: a request for which an error that names no request was taken
    (rejected), or for which such an error may have been meant (expired, closed). MADE_UP: a stray delivery whose id
    looks like one of the run's, and that no session of it can have sent. NAMED: a stray whose frame names messages of
    the run, in NAMED rows. OWN_TEXT: a message whose text the scenario made itself.
    """

    NONE = 0
    EXACT = 1
    BOUNDED = 2
    BURST = 4
    IMPLICIT = 8
    WAITED = 16
    ELSEWHERE = 32
    NAMELESS = 64
    MADE_UP = 128
    NAMED = 256
    OWN_TEXT = 512


class Content:
    """What a delivery contains (the `code` of a DELIVERY row): its text in the lowest bits, its sender's name above.

    COMPARED alone: the text that was sent. With ALTERED: another one, which begins like it or has the mark of a sent
    text. With UNLIKE: another one that does not. With both: none was found. Without COMPARED: nobody looked.

    The name is 0 if there is none, SESSION + n if it is a name of session n of the run, or else a number made
    of it (below SESSION), the same for the same name.
    """

    COMPARED = 1
    ALTERED = 2
    UNLIKE = 4
    TEXT = 7
    NAME_SHIFT = 3
    SESSION = 1 << 27


class Closer(IntEnum):
    """Who ended a connection (the `peer` column of a CLOSE row)."""

    US = 1
    """We sent the first close frame, or gave the connection up on purpose."""
    ENDPOINT = 2
    """The endpoint sent the first close frame."""
    FIN = 3
    """End of stream with no close frame."""
    RESET = 4
    """The kernel reported ECONNRESET, EPIPE, ETIMEDOUT or alike (the errno is the code)."""
    GARBLED = 5
    """We failed the connection because of what the endpoint sent (the code is ours: 1002, 1007, 1009, 1015)."""
    SILENT = 6
    """We gave the connection up because a keepalive ping, or a poll, was not answered in time."""


class Damage(IntEnum):
    """What a malformed payload has wrong with it (the `peer` column of a PROBE row)."""

    # breaks the action's schema
    MISSING_KEY = 1
    WRONG_TYPE = 2
    EXTRA_KEY = 3
    EMPTY_TEXT = 4
    TOO_LONG = 5
    BAD_ENUM = 6
    TOO_DEEP = 7
    NULL_VALUE = 8
    NOT_AN_OBJECT = 9
    # is not JSON at all
    TRUNCATED = 20
    NOT_JSON = 21
    TRAILING_BYTES = 22
    BARE_NAN = 23
    BAD_ESCAPE = 24
    UNQUOTED_KEY = 25
    EMPTY_FRAME = 26

    @property
    def label(self) -> str:
        """The name used in reports: `missing-key`, ..."""
        return self.name.lower().replace("_", "-")


class Gauge(IntEnum):
    """What a SAMPLE row measures (its `code` column); the value is in `seq`, in the unit the name ends with."""

    CPU_PERMILLE = 1
    RESIDENT_BYTES = 2
    OPEN_SESSIONS = 3
    UNSENT_BYTES = 4
    LOOP_LAG_NS = 5
    CLOCK_STEP_NS = 6
    LATE_ANSWERS = 7
    DESCRIPTORS = 8
    LAG_P50_NS = 9
    LAG_P99_NS = 10
    LAG_MAX_NS = 11
    READ_LAG_P50_NS = 12
    READ_LAG_P99_NS = 13
    READ_LAG_MAX_NS = 14
    HELD = 15
    """Connections held open on purpose, and silent, that are no sessions any more."""
    MISSED = 16
    """Messages due before the end of the load that were never handed out; once, at its end."""
    UNMATCHED = 17
    """Frames of the protocol that are none of ack, error, pong or delivery; a running count."""
    ENDPOINT_RESIDENT_BYTES = 40
    """What the endpoint says of its own process; `session` is 0."""
    ENDPOINT_DESCRIPTORS = 41


class SignalKind(IntEnum):
    """What a decoded frame says."""

    ACK = 1
    """An operation of ours was accepted (`id` names it)."""
    DELIVERY = 2
    """A message of some sender reached us (`id` is the sender's id of it)."""
    ERROR = 3
    """The endpoint refused something (`id` may be absent)."""
    PONG = 4
    """The answer to an application-level ping."""
    OTHER = 5
    """Understood, and of no interest (a welcome, a presence notice)."""
    GARBLED = 6
    """Not understood at all: not the dialect's protocol."""


class Misfit(IntEnum):
    """Why an answer belongs to no open request by its id (the `peer` column of a STRAY row)."""

    LACKS_ID = 1
    """It has no id, and the protocol gives such answers one."""
    HAS_NONE = 2
    """The protocol gives such answers no id."""
    OTHERS = 3
    """It has the id of another session's request."""
    AGAIN = 4
    """It has the id of a request that was answered before."""
    UNKNOWN = 5
    """It has an id that no request of the run has."""


# name, struct code, numpy dtype. 64 bytes, little-endian, no padding.
COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("kind", "B", "u1"),
    ("outcome", "B", "u1"),
    ("flags", "H", "<u2"),
    ("code", "i", "<i4"),
    ("session", "I", "<u4"),
    ("conn", "I", "<u4"),
    ("room", "I", "<u4"),
    ("peer", "I", "<u4"),
    ("seq", "q", "<i8"),
    ("due", "q", "<i8"),
    ("sent", "q", "<i8"),
    ("arrived", "q", "<i8"),
    ("read", "q", "<i8"),
)
ROW = Struct("<" + "".join(code for _, code, _ in COLUMNS))
DTYPE: list[tuple[str, str]] = [(name, dtype) for name, _, dtype in COLUMNS]
ROW_BYTES = ROW.size
SEQ_BITS = 36
SESSION_BITS = 27
"""Sessions and the numbers of their messages are below these powers of 2: the two make one positive 64-bit key."""
CONN_BITS = 32
"""The `conn` column is an unsigned number of as many bits."""

# A shard begins with one header the size of a row, so that rows stay aligned.
SHARD_HEADER = Struct("<8sII48x")
