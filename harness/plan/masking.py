"""What of a plan may be written down: anything but what looks like a credential."""

import re
from typing import Any

CREDENTIAL = re.compile(r"auth|token|secret|passw|cookie|credential|signature|api[-_]?key|^key$", re.IGNORECASE)
PLACEHOLDER = re.compile(r"\$?\{\w+\}")
MASK = "***"


def mask_header(name: str, value: str) -> str:
    """The value as it may be written down: masked when the name sounds secret, unless it only points elsewhere."""
    return mask_value(value) if CREDENTIAL.search(name) else value


def mask_value(value: str) -> str:
    """`${NAME}` and `{session}` point at a value and may stay; anything else is replaced."""
    return value if PLACEHOLDER.fullmatch(value.removeprefix("Bearer ")) else MASK


def mask_url(url: str) -> str:
    """The url with its user, password and secret-sounding query values masked."""
    url = re.sub(r"(?<=://)[^/?#\s\"']*@", f"{MASK}@", url)

    def masked(found: re.Match[str]) -> str:
        name, value = found["name"], found["value"]
        return f"{found['sep']}{name}={mask_value(value) if CREDENTIAL.search(name) else value}"

    return re.sub(r"(?P<sep>[?&])(?P<name>[^=&#]+)=(?P<value>[^&#]*)", masked, url)


def mask_all(name: str, value: Any) -> Any:
    """Plain data under `name` as it may be written down: all that is in or below what sounds secret is masked, and of
    every other text what looks like a url's credentials.
    """
    if isinstance(value, dict):
        above = name if CREDENTIAL.search(name) else ""
        return {key: mask_all(key if CREDENTIAL.search(key) else above or key, inside) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [mask_all(name, inside) for inside in value]
    if value is not None and CREDENTIAL.search(name):
        return mask_value(str(value))
    return mask_url(value) if isinstance(value, str) else value
