"""FIN: the stream ends and no close frame came, as when a process exits."""

from ..plan.chaos import Drop
from .fault import Fault, fault


@fault(
    "fin",
    number=2,
    options=Drop,
    summary="the client's process exits: the stream ends without a close frame",
    kernel_sees="a FIN",
    code_sees="end of file without a close frame (1006)",
    takes_connection=True,
)
class Fin(Fault[Drop]):
    """End the sending half of the stream."""

    def inject(self) -> None:
        """Send a FIN."""
        self.target.connection.half_close()
