"""Locust with websocket-client: a user a session, as people write it.

With a rate or flat out, a task sends and waits for its own answer (a closed loop); in rooms, a greenlet reads. Locust's
own `constant_pacing` loses messages after a stall.
"""

import json
import os
import time
from itertools import count

import gevent
import websocket
from locust import User, constant, constant_pacing, task

RATE = os.environ["BENCH_RATE"]
ROOMS = int(os.environ["BENCH_ROOMS"])
TEXT = os.environ["BENCH_TEXT"]
NUMBERS = count()


class Session(User):
    """One session."""

    wait_time = constant_pacing(1 / float(RATE)) if RATE not in ("max", "0") else constant(0)

    def on_start(self) -> None:
        self.prefix = f"s{next(NUMBERS)}-"
        self.seq = 0
        self.sent: dict[str, float] = {}
        self.ws = websocket.create_connection(os.environ["BENCH_URL"], enable_multithread=False)
        if ROOMS:
            self.reader = gevent.spawn(self.read)

    def on_stop(self) -> None:
        if ROOMS:
            self.reader.kill()
        self.ws.close()

    def read(self) -> None:
        """Everything that comes, for ever."""
        while True:
            self.receive()

    def receive(self) -> str:
        """One frame; its id."""
        came: str = json.loads(self.ws.recv())["id"]
        began = self.sent.pop(came, None)
        if began is not None:
            took = (time.perf_counter() - began) * 1000
            self.environment.events.request.fire(
                request_type="WS", name="round_trip", response_time=took, response_length=0, exception=None, context={}
            )
        return came

    @task
    def say(self) -> None:
        if RATE == "0":
            gevent.sleep(3600)
        mine = f"{self.prefix}{self.seq}"
        self.seq += 1
        self.sent[mine] = time.perf_counter()
        self.ws.send(json.dumps({"id": mine, "room": "room", "text": TEXT}))
        while not ROOMS and self.receive() != mine:
            pass
