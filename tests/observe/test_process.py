import base64
import http.server
import threading

import pytest

from harness.errors import RunFailed
from harness.observe.process import ProcessWatch, gauges
from harness.plan import Endpoint, Observe
from harness.record.row import Gauge

PAGE = """\
# HELP process_resident_memory_bytes Resident memory size in bytes.
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 5.24288e+07
# TYPE process_open_fds gauge
process_open_fds{job="x"} 42
process_open_fds{job="y"} 8
# TYPE other counter
other{text="a b"} nonsense
"""


def test_memory_and_descriptors_are_read_and_the_rest_is_not_even_looked_at():
    assert gauges(PAGE) == {Gauge.ENDPOINT_RESIDENT_BYTES: 50 * 2**20, Gauge.ENDPOINT_DESCRIPTORS: 50}


def test_a_page_that_says_nothing_of_the_process_gives_nothing():
    assert gauges("up 1\n") == {}
    assert gauges("") == {}


def test_a_garbled_line_is_an_error_and_not_a_value():
    with pytest.raises(ValueError):
        gauges("process_open_fds much\n")


@pytest.fixture
def page():
    """A server of one page on a port of its own; what it answers and what it was asked."""

    class Answer(http.server.BaseHTTPRequestHandler):
        status, body, asked = 200, PAGE, []

        def do_GET(self):
            Answer.authorization = self.headers.get("Authorization")
            Answer.asked.append((self.path, self.headers.get("X-Key")))
            self.send_response(Answer.status)
            self.end_headers()
            self.wfile.write(Answer.body.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Answer.origin = f"ws://127.0.0.1:{server.server_address[1]}"
    yield Answer
    server.shutdown()
    thread.join()
    server.server_close()


def watch(page, **observe):
    return ProcessWatch(Observe(metrics="/metrics", **observe), Endpoint(url=f"{page.origin}/ws"))


def test_the_page_is_looked_for_on_the_endpoints_origin_with_the_plans_headers(page):
    watch(page, headers={"X-Key": "k"}).check()
    assert page.asked == [("/metrics", "k")]


def test_the_urls_user_is_a_header_and_is_not_shown(page):
    page.asked = []
    url = f"{page.origin.replace('ws://', 'http://us%40er:pa%3Ass@')}/m%C3%A9?a=1 2"
    ProcessWatch(Observe(metrics=url), Endpoint(url="ws://127.0.0.1:1/ws")).check()
    assert page.asked == [("/m%C3%A9?a=1%202", None)]
    assert page.authorization == "Basic " + base64.b64encode(b"us@er:pa:ss").decode()
    page.status = 401
    with pytest.raises(RunFailed) as refused:
        ProcessWatch(Observe(metrics=url), Endpoint(url="ws://127.0.0.1:1/ws")).check()
    assert "pa%3Ass" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, "no", "answered HTTP 403"),
        (200, "<html>", "says neither process_resident_memory_bytes nor process_open_fds"),
        (200, "process_open_fds much", "is not a Prometheus page"),
    ],
)
def test_a_page_that_cannot_be_used_is_told_before_the_run(page, status, body, said):
    page.status, page.body = status, body
    with pytest.raises(RunFailed, match=said):
        watch(page).check()


def test_a_page_that_is_not_there_is_told_before_the_run():
    with pytest.raises(RunFailed, match=r"observe\.metrics: http://127\.0\.0\.1:1/metrics cannot be reached"):
        ProcessWatch(Observe(metrics="/metrics"), Endpoint(url="ws://127.0.0.1:1/ws")).check()
