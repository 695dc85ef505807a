"""Templates of an upgrade or a login: ${NAME} once from the environment, {session}, {room} and the like each time.

Pure but for the environment. What the environment gave may be a secret, whatever its name, so the redaction learns
each value; and braces in it are no placeholders.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from ..errors import UsageError
from ..placeholders import escape, fill, pieces
from .redaction import Redaction

CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
ENVIRONMENT = re.compile(r"\$\{(\w+)\}")


def expand(text: str, where: str, redaction: Redaction | None = None) -> str:
    """Replace every ${NAME} by the environment's value.

    Raises:
        UsageError: one is not set.
    """
    return ENVIRONMENT.sub(lambda found: environment(found[1], where, redaction), text)


def expand_template(text: str, where: str, redaction: Redaction | None = None) -> str:
    """The same for a text whose placeholders are filled in later.

    Raises:
        UsageError: one is not set.
    """
    return ENVIRONMENT.sub(lambda found: escape(environment(found[1], where, redaction)), text)


def expand_all(value: Any, where: str, redaction: Redaction | None = None) -> Any:
    """The same for every string inside plain data."""
    if isinstance(value, dict):
        return {name: expand_all(inside, f"{where}.{name}", redaction) for name, inside in value.items()}
    if isinstance(value, list | tuple):
        return [expand_all(inside, where, redaction) for inside in value]
    return expand_template(value, where, redaction) if isinstance(value, str) else value


def on_origin(url: str, endpoint_url: str) -> str:
    """The url of something beside the WebSocket: a path is taken on the endpoint's own origin."""
    parts = urlsplit(endpoint_url)
    scheme = "https" if parts.scheme == "wss" else "http"
    return urljoin(f"{scheme}://{parts.netloc}/", url)


def with_query(url: str, query: Mapping[str, str]) -> str:
    """The url with more query parameters, encoded; placeholders in their values stay."""
    for name, value in query.items():
        parts = "".join(quote(literal, safe="") + (f"{{{place}}}" if place else "") for literal, place in pieces(value))
        url += f"{'&' if '?' in url else '?'}{quote(name, safe='')}={parts}"
    return url


def one_line(text: str, where: str) -> str:
    """The text, once it is known to fit a line of HTTP.

    Raises:
        UsageError: it would break the line.
    """
    if CONTROL.search(text):
        raise UsageError(f"{where}: the value holds a line break or another control character")
    return text


def fill_all(value: Any, fields: Mapping[str, str]) -> Any:
    """The same for every string inside plain data."""
    if isinstance(value, dict):
        return {name: fill_all(inside, fields) for name, inside in value.items()}
    if isinstance(value, list | tuple):
        return [fill_all(inside, fields) for inside in value]
    return fill(value, fields) if isinstance(value, str) else value


def environment(name: str, where: str, redaction: Redaction | None = None) -> str:
    """The value of an environment variable.

    Raises:
        UsageError: it is not set.
    """
    value = os.environ.get(name)
    if not value:
        raise UsageError(f"{where} wants the environment variable {name}, which is not set: export {name}=...")
    if redaction is not None:
        redaction.add(value)
    return value


def read_text(file: str, where: str) -> str:
    """A file's text.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f'{where}: cannot read "{file}": {error.strerror}') from None
    except UnicodeDecodeError:
        raise UsageError(f'{where}: "{file}" is not text (UTF-8)') from None


def held(name: str | None, default: str, file: str | None, where: str, redaction: Redaction) -> tuple[str, str]:
    """A secret out of its file or its environment variable, and the words for where it was.

    Raises:
        UsageError: it is not set, cannot be read or is empty.
    """
    if file is None:
        name = name or default
        return environment(name, where, redaction), f"the environment variable {name}"
    value = read_text(file, where).strip()
    if not value:
        raise UsageError(f'{where}: "{file}" is empty')
    redaction.add(value)
    return value, f'"{file}"'
