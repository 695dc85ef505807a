"""The plan: the frozen, validated description of a run, read from TOML, overridden from the command line, digested.

One module per table of the file; `whole` joins them, `reading` reads them, `masking` decides what may be written down.
Pure except for reading the plan's file. Secrets never appear in a plan, only the names of the environment variables
that hold them (`${NAME}` in a url or header is expanded when a connection is made, never here). A resolved plan can
therefore be written into the run directory as it is; anything in headers, urls and templates that looks like a
credential is masked.
"""

from .arrivals import Arrivals, Departures
from .auth import Auth, JwtAuth, LoginAuth, NoAuth, Placed, TokenAuth, TokensAuth
from .chaos import Act
from .contract import Contract
from .endpoint import EMBEDDED, Endpoint, JsonDialect, Match
from .fitness import Fitness
from .load import Load
from .masking import MASK, mask_header, mask_url, mask_value
from .observe import Observe
from .reading import build_plan, load_plan, mask_argument, parse_override
from .reconnect import Reconnect
from .rest import Rest
from .transport import Deflate, Tls
from .whole import JOIN_GRACE_S, Plan, is_loopback, mask_serve

__all__ = [
    "EMBEDDED", "JOIN_GRACE_S", "MASK", "Act", "Arrivals", "Auth", "Contract", "Deflate", "Departures",
    "Endpoint", "Fitness", "JsonDialect", "JwtAuth", "Load", "LoginAuth", "Match",
    "NoAuth", "Observe", "Placed", "Plan", "Reconnect", "Rest", "Tls", "TokenAuth", "TokensAuth", "build_plan",
    "is_loopback", "load_plan", "mask_argument", "mask_header", "mask_serve", "mask_url", "mask_value",
    "parse_override",
]  # fmt: skip
