"""Several sockets that take an option together: what breaks a client breaks every connection of it."""

from collections.abc import Iterable
from typing import Any

from ...transport.sockets import Socket


class SocketGroup:
    """Those of the given sockets that are open."""

    def __init__(self, sockets: Iterable[Socket]) -> None:
        self._open = [sock for sock in sockets if sock is not None and sock.fileno() >= 0]

    def setsockopt(self, *option: Any) -> None:
        """Set it on every one.

        Raises:
            OSError: one refused it.
        """
        for sock in self._open:
            sock.setsockopt(*option)
