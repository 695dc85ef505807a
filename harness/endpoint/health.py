"""Health and readiness: whether the process is alive, and whether it can serve.

They are two questions: an endpoint whose store is down is alive (restarting it would drop every client for nothing) and
not ready (a load balancer should send it no new clients).
"""

from collections.abc import Callable

from aiohttp import web

from .http import answer
from .refusal import Refused


class Health:
    """`/health` and `/ready`, without a token. `failure` says what does not work now, "" for nothing."""

    def __init__(self, failure: Callable[[], str]) -> None:
        self._failure = failure

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the two routes."""
        router.add_get("/health", self.health, allow_head=False)
        router.add_get("/ready", self.ready, allow_head=False)

    async def health(self, _request: web.Request) -> web.Response:
        """`GET /health`: 200 if the process is alive."""
        return answer({"status": "ok"})

    async def ready(self, _request: web.Request) -> web.Response:
        """`GET /ready`.

        Raises:
            Refused: 503; the reason goes to the log only, because anybody may ask.
        """
        failure = self._failure()
        if failure:
            raise Refused(503, "not ready", detail=failure)
        return answer({"status": "ready"})
