"""How connections ended, as a contract names it: the code of a close frame, or that there was none."""

import numpy as np

from harness.record.codes import NO_CODE
from harness.record.row import Closer, Kind

from .rows import Array, Rows, connection_keys, find

NO_FRAME = 1006
"""RFC 6455 7.1.5: the connection ended without a close frame. A close frame without a code is 1005 (7.1.6)."""


def codes_of(ended: Array) -> Array:
    """The codes of these CLOSE rows; NO_FRAME where there was no close frame, whatever the kernel said."""
    return np.where(np.isin(ended["peer"], (Closer.FIN, Closer.RESET)), NO_FRAME, ended["code"])


def close_codes(rows: Rows, found: Array) -> Array:
    """The code with which the endpoint closed the connection of each of these rows; NO_CODE where it did not."""
    ended = rows.of(Kind.CLOSE)
    ended = ended[np.isin(ended["peer"], (Closer.ENDPOINT, Closer.FIN, Closer.RESET))]
    keys, first = np.unique(connection_keys(ended), return_index=True)
    at, known = find(keys, connection_keys(found))
    codes = np.full(len(found), NO_CODE, np.int64)
    codes[known] = codes_of(ended[first])[at[known]]
    return codes
