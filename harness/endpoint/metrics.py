"""`GET /metrics`: the figures of all processes of the endpoint in the text format of Prometheus.

A scrape reaches whichever process the kernel chooses, and that one asks the others. Each keeps series of its own,
distinguished by the label `process`: a sum would fall when a process ends.
"""

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from aiohttp import web
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from .figures import figures
from .state import Asked, StoreDown

if TYPE_CHECKING:
    from .hub import Hub

VERB = "figures"
"""The verb by which one process asks another for its figures."""


class Family(NamedTuple):
    """One metric on its way between processes; a sample is its name, its labels and its value."""

    name: str
    text: str
    kind: str
    samples: list[tuple[str, dict[str, str], float]]


class Page(Collector):
    """Metrics of several processes, each family in one piece, as the text format requires."""

    def __init__(self) -> None:
        self._families: dict[str, Metric] = {}

    def add(self, families: Iterable[Family], labels: dict[str, str]) -> None:
        """Add the metrics of one process, with these labels as well."""
        for family in families:
            metric = self._families.setdefault(family.name, Metric(family.name, family.text, family.kind))
            for name, own, value in family.samples:
                metric.add_sample(name, own | labels, value)

    def collect(self) -> Iterable[Metric]:
        """Every family once."""
        return self._families.values()


class Metrics:
    """The route."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the one route."""
        router.add_get("/metrics", self.scrape, allow_head=False)

    async def scrape(self, _request: web.Request) -> web.Response:
        """`GET /metrics`; a process that cannot be asked is left out."""
        hub, page = self._hub, Page()
        page.add(families(hub), {"process": hub.process} if hub.store.carries else {})
        with contextlib.suppress(StoreDown):
            for process, packed in (await hub.store.ask_all(Asked(VERB, "", b""))).items():
                page.add(msgspec.msgpack.decode(packed, type=list[Family]), {"process": process})
        return web.Response(body=generate_latest(page), headers={"Content-Type": CONTENT_TYPE_LATEST})


def families(hub: "Hub") -> list[Family]:
    """The figures of this process."""
    return [
        Family(
            metric.name,
            metric.documentation,
            metric.type,
            [(sample.name, dict(sample.labels), float(sample.value)) for sample in metric.samples],
        )
        for metric in figures(hub)
    ]


def answer(hub: "Hub") -> bytes:
    """Answer another process that asks for our figures."""
    return msgspec.msgpack.encode(families(hub))
