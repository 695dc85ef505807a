"""What of a plan may be written down: anything but what looks like a credential."""

import re

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
    url = re.sub(r"(?<=://)[^/@?#]*@", f"{MASK}@", url)

    def masked(found: re.Match[str]) -> str:
        name, value = found["name"], found["value"]
        return f"{found['sep']}{name}={mask_value(value) if CREDENTIAL.search(name) else value}"

    return re.sub(r"(?P<sep>[?&])(?P<name>[^=&#]+)=(?P<value>[^&#]*)", masked, url)
