"""`[observe]`: whom the endpoint believes to be connected, and where to ask."""

from ..placeholders import check
from .auth import PER_CONNECTION, Auth, NoAuth, templates_of
from .section import Positive, Section


class Observe(Section, frozen=True, kw_only=True):
    """Where to ask what the endpoint believes about its connections (an empty `url`: do not ask).

    `url` is absolute (http://...) or a path on the endpoint's own origin. `list_path` leads to the list in the
    answer, `key_path` from an item of it to the connection's key. `metrics` is a Prometheus page, told like `url`, that
    says how much memory and how many descriptors the endpoint's process has.
    """

    url: str = ""
    every_s: Positive = 1.0
    list_path: str = "connections"
    key_path: str = "clientId"
    metrics: str = ""
    metrics_every_s: Positive = 5.0
    headers: dict[str, str] = {}
    auth: Auth = NoAuth()

    def __post_init__(self) -> None:
        for key in ("url", "metrics", "headers"):
            check(getattr(self, key), (), f"observe.{key}", environment=True)
        known = tuple(name for name in PER_CONNECTION if name != "room")  # the observer is in no room
        check(templates_of(self.auth), known, "observe.auth", environment=True)
