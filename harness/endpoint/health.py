"""Health and readiness: does the process live, and can it serve.

It must not know why something fails. The subtle thing: they are two questions; an endpoint whose store is gone lives
(restarting it would drop every client for nothing) and is not ready (a balancer should send nobody new).
"""

from collections.abc import Callable

from aiohttp import web

from .http import answer
from .refusal import Refused


class Health:
    """`/health` and `/ready`, for anybody. `failure` says what does not work now, "" for nothing."""

    def __init__(self, failure: Callable[[], str]) -> None:
        self._failure = failure

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the two routes."""
        router.add_get("/health", self.health, allow_head=False)
        router.add_get("/ready", self.ready, allow_head=False)

    async def health(self, _request: web.Request) -> web.Response:
        """`GET /health`: an answer is the answer."""
        return answer({"status": "ok"})

    async def ready(self, _request: web.Request) -> web.Response:
        """`GET /ready`.

        Raises:
            Refused: 503; the reason stays in the log, because anybody may ask.
        """
        failure = self._failure()
        if failure:
            raise Refused(503, "not ready", detail=failure)
        return answer({"status": "ready"})
