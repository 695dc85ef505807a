"""A scenario that raises."""


def raises_at(number):
    """The source of a scenario whose message of this number raises instead of being sent."""
    return f"""
from squall import RealtimeUser, task

class Raises(RealtimeUser):
    def on_connect(self):
        self.join(self.room)

    @task
    def say(self):
        due = self.pace()
        if self.client.n == {number}:
            raise ValueError("of the scenario")
        self.publish(self.room, self.text, due)
"""
