"""The figures of one process as Prometheus metrics, read from its counters and its current state.

The counters are plain and are read only here, so that the library's locks and labels cost nothing per message.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from .counters import BOUNDS_S, Counters, Latency

if TYPE_CHECKING:
    from .hub import Hub

_process = ProcessCollector(registry=None)


def figures(hub: "Hub") -> Iterable[Metric]:
    """All metrics of this process."""
    yield from counted(hub.counters)
    yield GaugeMetricFamily("squall_connections", "Connections on the table.", len(hub.connections))
    yield GaugeMetricFamily("squall_rooms", "Rooms with a member.", len(hub.rooms()))
    yield GaugeMetricFamily("squall_waiting", "Long polls and event streams.", len(hub.subscriptions))
    depth = GaugeMetricFamily("squall_queue_depth", "Accepted messages that wait.", labels=["shard"])
    for shard, events in hub.pipeline.depth().items():
        depth.add_metric([str(shard)], events)
    yield depth
    yield from _process.collect()  # process_resident_memory_bytes, process_open_fds, ...


def counted(counters: Counters) -> Iterable[Metric]:
    """The counters and histograms as metric families."""
    for name, text, value in (
        ("connects", "WebSocket connections opened.", counters.connects),
        ("messages", "Text messages read from clients.", counters.messages),
        ("accepted", "Messages that got their place in a room.", counters.accepted),
        ("deliveries", "Copies of messages handed to a recipient (fan-out).", counters.fan_out),
        ("delivery_failures", "Copies that could not be handed over.", counters.delivery_failures),
        ("stale_cleaned", "Connections removed without a sign of life.", counters.stale_cleaned),
    ):
        yield CounterMetricFamily(f"squall_{name}", text, value)
    yield labelled("handshakes_refused", "Upgrades refused.", "status", counters.refused)
    yield labelled("disconnects", "Connections that ended.", "reason", counters.disconnects)
    yield labelled("throttled", "Messages and calls over a bucket.", "bucket", counters.throttled)
    yield labelled("rejected", "Error frames but those of the throttle.", "code", counters.rejected)
    yield labelled("pushes", "Pushes to one connection.", "result", counters.pushed)
    calls = CounterMetricFamily("squall_http_calls", "HTTP calls but upgrades.", labels=["method", "route", "status"])
    for (method, route, status), count in sorted(counters.calls.items()):
        calls.add_metric([method, route, str(status)], count)
    yield calls
    yield histogram("accept_seconds", "From reading a message to its place in the room.", counters.accept)
    yield histogram("deliver_seconds", "From its place in the room to the last copy handed over.", counters.deliver)


def labelled(name: str, text: str, label: str, values: Mapping[str, int] | Mapping[int, int]) -> Metric:
    """A counter with one label, and a sample for each value that was counted."""
    family = CounterMetricFamily(f"squall_{name}", text, labels=[label])
    for value, count in sorted((str(value), count) for value, count in values.items()):
        family.add_metric([value], count)
    return family


def histogram(name: str, text: str, latency: Latency) -> Metric:
    """A histogram; Prometheus wants cumulative buckets."""
    total, buckets = 0, []
    for bound, count in zip((*(repr(bound) for bound in BOUNDS_S), "+Inf"), latency.counts, strict=True):
        total += count
        buckets.append((bound, total))
    return HistogramMetricFamily(f"squall_{name}", text, buckets=buckets, sum_value=latency.sum_s)
