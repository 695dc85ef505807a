"""Telemetry: every session publishes its readings, and nobody listens to another's.

Devices that report: ingestion without fan-out, so `response` is all there is to the endpoint's cost of a message. Where
the protocol knows no rooms (`load.room_sizes` "none"), a message names none; the reference endpoint's does, so the
default plan gives each device a room of its own ("own"), in which it hears only itself.
"""

from squall import RealtimeUser, task


class TelemetryUser(RealtimeUser):
    """A device."""

    @task
    def report(self) -> None:
        """One reading when it is due."""
        due = self.pace()
        self.publish(self.room, self.text, due)
