"""Which route a frame takes: the gateway's route selection expression, evaluated over the frame's body. Pure.

As in the gateway, a path that leads nowhere is empty text, a value that is not text is written as text, and the result
of an expression is not evaluated again.

    $request.body.action                              one variable
    ${request.body.service}/${request.body.action}    several, with text between
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from .refusal import Refused

DEFAULT_ROUTE = "$default"
_VARIABLE = re.compile(r"\$\{request\.body((?:\.[A-Za-z0-9_-]+)+)\}|\$request\.body((?:\.[A-Za-z0-9_-]+)+)")


class Selection:
    """A compiled expression.

    >>> Selection("${request.body.service}/${request.body.action}").key({"service": "chat", "action": "join"})
    'chat/join'
    >>> Selection("$request.body.a.b").key({"a": {"b": [1, "x"]}}), Selection("$request.body.a").key({})
    ('[1, x]', '')
    """

    def __init__(self, expression: str) -> None:
        """Compile it.

        Raises:
            UsageError: it has no variable, or a `$` that does not begin one.
        """
        self._texts: list[str] = []
        self._paths: list[list[str]] = []
        at = 0
        for found in _VARIABLE.finditer(expression):
            self._texts.append(_literal(expression, expression[at : found.start()]))
            self._paths.append((found[1] or found[2])[1:].split("."))
            at = found.end()
        self._tail = _literal(expression, expression[at:])
        if not self._paths:
            raise UsageError(f"--route-selection {expression!r}: name at least one variable, as $request.body.action")

    def key(self, body: Mapping[str, Any]) -> str:
        """The route key of a body."""
        parts = [text + written(_at(body, path)) for text, path in zip(self._texts, self._paths, strict=True)]
        return "".join(parts) + self._tail


class Routes:
    """Route keys and their actions. Without `default`, the gateway itself refuses an unknown key."""

    def __init__(self, expression: str, routes: Mapping[str, str], *, default: bool) -> None:
        self._selection = Selection(expression)
        self._routes = routes
        self._default = default

    def action(self, body: Mapping[str, Any]) -> str | None:
        """The action of a body; None for the default route.

        Raises:
            Refused: no route matches, and there is no default route.
        """
        action = self._routes.get(self._selection.key(body))
        if action is None:
            self.fallen()
        return action

    def fallen(self) -> None:
        """Fall back to the default route, for what is not a JSON object or matches no route.

        Raises:
            Refused: there is no default route.
        """
        if not self._default:
            raise Refused(403, "Forbidden", by_gateway=True)


def read_routes(texts: tuple[str, ...], actions: tuple[str, ...]) -> dict[str, str]:
    """Read `KEY=ACTION` texts as routes; without any, each action is its own key.

    Raises:
        UsageError: a text of another form, or an action that does not exist.
    """
    routes = {}
    for text in texts:
        key, equals, action = text.rpartition("=")
        if not equals or not key or action not in actions:
            raise UsageError(f"--route {text}: give KEY=ACTION, the action one of {', '.join(actions)}")
        routes[key] = action
    return routes or {action: action for action in actions}


def written(value: Any) -> str:
    """A JSON value as the gateway writes it into a key."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{', '.join(written(item) for item in value)}]"
    return "" if value is None else json.dumps(value)


def _at(body: Any, path: list[str]) -> Any:
    for name in path:
        if not isinstance(body, dict) or name not in body:
            return ""
        body = body[name]
    return body


def _literal(expression: str, text: str) -> str:
    if re.search(r"(?<!\\)\$", text):
        raise UsageError(f"--route-selection {expression!r}: a $ begins $request.body.NAME or is written \\$")
    return text.replace("\\$", "$")
