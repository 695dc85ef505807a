"""Stall: the client is alive for TCP and reads nothing, as a frozen process does; its receive window fills."""

from ..plan.chaos import HeldDrop
from .fault import Fault, fault


@fault(
    "stall",
    number=5,
    options=HeldDrop,
    summary="the client's process freezes: it neither reads nor sends",
    kernel_sees="acknowledgements until the window is full, then a zero window",
    code_sees="no pong and no end; sending blocks once both buffers are full",
    takes_connection=True,
    holds_connection=True,
    stops_reading=True,
)
class Stall(Fault[HeldDrop]):
    """Read and send nothing more."""

    def inject(self) -> None:
        """Stop both, and keep the socket."""
        self.target.connection.silence()

    def lift(self) -> None:
        """Let go of the connection."""
        self.target.connection.reset()
