"""The defects that the endpoint can be told to have, by what they are wrong about; importing this registers them all.

Each is a function from honest parts to bent ones. None may be known to honest code, and none may write what no real
endpoint would: it forgets, repeats, delays, confuses or allows.
"""

from . import answers, connections, deliveries, limits, rights, schema
from .registry import REGISTRY, Defect, bent, chosen

__all__ = [
    "REGISTRY", "Defect", "answers", "bent", "chosen", "connections", "deliveries", "limits", "rights", "schema",
]  # fmt: skip
