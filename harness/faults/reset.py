"""Reset: a TCP reset, as after a crash or from a middlebox."""

from ..plan.chaos import Drop
from .fault import Fault, fault


@fault(
    "reset",
    number=3,
    options=Drop,
    summary="the client crashes, or a middlebox cuts the connection",
    kernel_sees="an RST",
    code_sees="ECONNRESET at the next read or write (1006)",
    takes_connection=True,
)
class Reset(Fault[Drop]):
    """Break the connection."""

    def inject(self) -> None:
        """Send a RST."""
        self.target.connection.reset()
