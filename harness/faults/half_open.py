"""Half-open: total silence, as from a phone that has left the radio cell. Nothing is sent and nothing acknowledged.

The socket gets the one-instruction packet filter `ret 0`, with which our kernel drops all that arrives for it, so the
endpoint's packets stay unacknowledged. The lift ends it with a reset: `close()` would send a FIN.
"""

import ctypes
import os
import socket
import struct
from typing import TYPE_CHECKING

from ..plan.chaos import HeldDrop
from .fault import Fault, fault

if TYPE_CHECKING:
    from ..transport.sockets import Socket

SO_ATTACH_FILTER = 26
DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF_RET | BPF_K, 0: keep no byte of any packet


@fault(
    "half-open",
    number=4,
    options=HeldDrop,
    summary="the client is out of reach: it neither sends nor acknowledges anything",
    kernel_sees="no acknowledgement of anything: retransmissions, then a time-out",
    code_sees="nothing at all: no pong, no end; sending works until the buffer is full",
    takes_connection=True,
    holds_connection=True,
    stops_reading=True,
)
class HalfOpen(Fault[HeldDrop]):
    """Make the kernel drop what arrives, and send nothing more."""

    @classmethod
    def why_not(cls) -> str:
        """Attaching a filter needs a permission on recent kernels."""
        with socket.socket() as sock:
            try:
                deafen(sock)
            except OSError as error:
                return (
                    f"needs the permission to filter a socket ({os.strerror(error.errno or 0)}): "
                    "run with CAP_NET_ADMIN, or use how = stall, which is the nearest"
                )
        return ""

    def inject(self) -> None:
        """Deaf first, so that nothing is acknowledged after the silence has begun."""
        deafen(self.target.connection.socket)
        self.target.connection.silence()

    def lift(self) -> None:
        """Let go of the connection."""
        self.target.connection.reset()


def deafen(sock: "Socket") -> None:
    """Make the kernel drop everything that arrives for this socket.

    Raises:
        OSError: this process may not (CAP_NET_ADMIN is needed on recent kernels), or this is not Linux.
    """
    program = ctypes.create_string_buffer(DROP_ALL)
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))
