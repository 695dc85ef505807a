"""What the kernel is told about dead peers holds for the connections that are accepted."""

import socket

import pytest

from harness.endpoint.process import listen
from harness.endpoint.settings import Settings


@pytest.mark.parametrize(
    ("keepalive_s", "user_timeout_s", "wanted"), [(2.0, 1.5, (1, 2, 1, 3, 1500)), (0.0, 0.0, (0, None, None, None, 0))]
)
def test_an_accepted_connection_has_the_keepalive_and_the_user_timeout_of_the_options(
    keepalive_s, user_timeout_s, wanted
):
    settings = Settings(tcp_keepalive_s=keepalive_s, tcp_user_timeout_s=user_timeout_s)
    with listen(settings) as listener, socket.create_connection(listener.getsockname()):
        listener.setblocking(True)
        accepted, _ = listener.accept()
        with accepted:
            names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
            found = (
                accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                *(accepted.getsockopt(socket.IPPROTO_TCP, name) for name in names),
            )
    assert all(want is None or have == want for have, want in zip(found, wanted, strict=True)), found
