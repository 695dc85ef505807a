"""`[endpoint.tls]` and `[endpoint.deflate]`: what lies between the socket and the messages.

Files are named here and never read; a key's password is given as the name of the environment variable that holds it.
"""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from ..errors import PlanError
from .section import Section

WindowBits = Annotated[int, Meta(ge=9, le=15)]


class Tls(Section, frozen=True, kw_only=True):
    """What a `wss://` endpoint must show, and what we show it. Files are PEM, beside the plan or anywhere.

    `server_name` is asked for (SNI) and verified in place of the url's host. `insecure` accepts any certificate.
    """

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    key_password_env: str = ""
    server_name: str = ""
    insecure: bool = False

    def __post_init__(self) -> None:
        if self.insecure and self.ca_file:
            raise PlanError("endpoint.tls: insecure accepts any certificate, so ca_file would do nothing; keep one")
        if self.key_file and not self.cert_file:
            raise PlanError("endpoint.tls: key_file is the key of a client certificate; give cert_file too")

    def located(self, folder: Path | None) -> "Tls":
        """A copy in which files relative to `folder` have paths that are valid anywhere."""
        files = {name: getattr(self, name) for name in ("ca_file", "cert_file", "key_file")}
        found = {}
        for name, file in files.items():
            beside = (folder or Path()) / file
            if file:
                found[name] = str((beside if beside.is_file() else Path(file)).expanduser().resolve())
        return msgspec.structs.replace(self, **found)


class Deflate(Section, frozen=True, kw_only=True):
    """Offer permessage-deflate (RFC 7692): whether each side keeps its window between messages, and how large it is.

    A window of our side that is kept costs a session 2^(bits+2) bytes and 8 KiB. `server_window_bits` absent: the
    endpoint chooses.
    """

    client_context_takeover: bool = True
    server_context_takeover: bool = True
    client_window_bits: WindowBits = 12
    server_window_bits: WindowBits | None = None
