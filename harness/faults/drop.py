"""Drop: the client vanishes, in one of five ways (DESIGN decision 5).

    close      an orderly close frame (1000): what a page that is left sends
    fin        the stream ends with no close frame: a process that exits
    reset      TCP RST: a crash, or a middlebox
    half-open  total silence: a person who walked out of the radio cell; nothing we send, nothing we acknowledge
    stall      a client that is alive for TCP and reads nothing: its window fills

It must not know when or to whom. The subtle thing: a half-open socket carries the one-instruction filter `ret 0`,
which makes our kernel drop all that arrives for it, and it has to be ended by a reset: `close()` would send a FIN.
"""

import ctypes
import os
import socket
import struct

from ..client.patterns.conversation import Conversation
from ..plan.chaos import Fault
from ..transport.sockets import Socket

SO_ATTACH_FILTER = 26
DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF_RET | BPF_K, 0: keep no byte of any packet


def drop(connection: Conversation, how: Fault) -> bool:
    """Do it.

    Returns:
        True when the connection still exists in silence and must be let go of later with `reset`.
    """
    if how is Fault.DROP_CLOSE:
        connection.close()
    elif how is Fault.DROP_FIN:
        connection.half_close()
    elif how is Fault.DROP_RESET:
        connection.reset()
    elif how is Fault.DROP_HALF_OPEN:
        deafen(connection.socket)
        connection.silence()
        return True
    else:
        connection.silence()
        return True
    return False


def deafen(sock: Socket) -> None:
    """Make the kernel drop everything that arrives for this socket.

    Raises:
        OSError: this process may not (CAP_NET_ADMIN is needed on recent kernels), or this is not Linux.
    """
    program = ctypes.create_string_buffer(DROP_ALL)
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))


def why_not(how: Fault) -> str:
    """Why this machine cannot do it, in one line; "" when it can."""
    if how is not Fault.DROP_HALF_OPEN:
        return ""
    with socket.socket() as sock:
        try:
            deafen(sock)
        except OSError as error:
            return (
                f"needs the permission to filter a socket ({os.strerror(error.errno or 0)}): "
                "run with CAP_NET_ADMIN, or use how = stall, which is the nearest"
            )
    return ""
