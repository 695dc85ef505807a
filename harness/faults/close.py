"""Close: an orderly end, as a page sends it which its user leaves."""

from ..plan.chaos import Drop
from .fault import Fault, fault


@fault(
    "close",
    number=1,
    options=Drop,
    summary="the client closes its connection in good order",
    kernel_sees="the last bytes of the stream, then a FIN",
    code_sees="a close frame (1000), which it should answer",
    takes_connection=True,
)
class Close(Fault[Drop]):
    """Begin the closing handshake."""

    def inject(self) -> None:
        """Send a close frame."""
        self.target.connection.close()
