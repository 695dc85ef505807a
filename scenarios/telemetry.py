"""Telemetry: every session publishes its readings, and no session receives those of another.

Devices that report: ingestion without fan-out, so `response` covers everything that the endpoint does with a message.
Where the protocol has no rooms, set `load.room_sizes` to "none". The reference endpoint has rooms, so the default plan
gives each device a room of its own ("own").
"""

from squall import RealtimeUser, task


class TelemetryUser(RealtimeUser):
    """A device."""

    @task
    def report(self) -> None:
        """Publish one reading when it is due."""
        due = self.pace()
        self.publish(self.room, self.text, due)
