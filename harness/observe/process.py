"""What the endpoint says of its own process: resident memory and open descriptors, from its Prometheus page.

The two names are the standard ones that Prometheus' client libraries give in any language. A page may be large and
this runs beside the load, so only the lines that matter are parsed.
"""

from collections.abc import Callable

import gevent
from prometheus_client.parser import text_string_to_metric_families

from ..auth import Redaction, expand
from ..auth.templates import on_origin
from ..errors import RunFailed
from ..plan import Endpoint, Observe, mask_url
from ..record.recorder import Recorder
from ..record.row import Gauge, Kind
from ..transport.clock import Clock
from ..transport.http_client import HttpClient
from ..units import SECOND
from ..wire.exchange import Answer, Failure
from .connection_list import page_request

TIMEOUT_S = 5.0
NAMES = {
    "process_resident_memory_bytes": Gauge.ENDPOINT_RESIDENT_BYTES,
    "process_open_fds": Gauge.ENDPOINT_DESCRIPTORS,
}


def gauges(page: str) -> dict[Gauge, int]:
    """What the page says of memory and descriptors; what it does not say is absent.

    Raises:
        ValueError: one of those lines is not in the text format.
    """
    lines = [line for line in page.splitlines() if line.startswith(tuple(NAMES))]
    found: dict[Gauge, int] = {}
    for family in text_string_to_metric_families("\n".join([*lines, ""])):
        for sample in family.samples:
            if sample.name in NAMES:
                found[NAMES[sample.name]] = found.get(NAMES[sample.name], 0) + int(sample.value)
    return found


class ProcessWatch:
    """Looks at one page every so often.

    Raises:
        UsageError: an environment variable that the plan names is not set.
    """

    def __init__(self, observe: Observe, endpoint: Endpoint, redaction: Redaction | None = None) -> None:
        self._redaction = redaction = redaction or Redaction()
        origin = expand(endpoint.url, "endpoint.url", redaction)
        self._url = on_origin(expand(observe.metrics, "observe.metrics", redaction), origin)
        self._every_s = observe.metrics_every_s
        self._http = HttpClient(self._url, endpoint, redaction, "observe.metrics")
        self._request = page_request(
            self._url,
            {name: expand(value, f"observe.headers.{name}", redaction) for name, value in observe.headers.items()},
        )

    def check(self) -> None:
        """Look once before the run.

        Raises:
            RunFailed: the page cannot be had, or says nothing about the process.
        """
        shown = mask_url(self._url).partition("?")[0]
        answer = self._get()
        self._http.close()
        if isinstance(answer, Failure):
            raise RunFailed(f"observe.metrics: {shown} cannot be reached: {self._redaction.conceal(answer.text)}")
        if answer.status != 200:
            raise RunFailed(f"observe.metrics: {shown} answered HTTP {answer.status}")
        try:
            found = gauges(_text(answer))
        except ValueError as error:
            raise RunFailed(f"observe.metrics: {shown} is not a Prometheus page: {error}") from None
        if not found:
            raise RunFailed(f"observe.metrics: {shown} says neither {' nor '.join(NAMES)}")

    def run(self, clock: Clock, recorder: Recorder, failure: Callable[[BaseException], None]) -> None:
        """Look until killed; to be spawned."""
        due = clock.now()
        try:
            while True:
                self.look(clock, recorder)
                due = max(due + round(self._every_s * SECOND), clock.now())
                clock.sleep_until(due)
        except gevent.GreenletExit:
            raise
        except BaseException as error:  # noqa: BLE001
            failure(error)
        finally:
            self._http.close()

    def _get(self) -> Answer | Failure:
        return self._http.ask(self._request, TIMEOUT_S)

    def look(self, clock: Clock, recorder: Recorder) -> None:
        """Look once and record it; a look that failed leaves a note and no value."""
        answer = self._get()
        if isinstance(answer, Failure):
            recorder.evidence(clock.now(), "note", answer.code, f"the metrics page could not be had: {answer.text}")
            return
        if answer.status != 200:
            recorder.evidence(clock.now(), "note", answer.status, "the metrics page was refused")
            return
        try:
            found = gauges(_text(answer))
        except ValueError as error:
            recorder.evidence(clock.now(), "note", 0, f"the metrics page could not be read: {error}")
            return
        now = clock.now()
        for gauge, value in found.items():
            recorder.row(Kind.SAMPLE, code=gauge, session=0, seq=value, arrived=now)


def _text(answer: Answer) -> str:
    return answer.body.decode("utf-8", "replace")
