"""The defects of the endpoint, grouped by what is wrong; importing this package registers them all.

Each is a function from correct policies to defective ones. The correct code knows none of them, and none writes what no
real endpoint would: a defect forgets, repeats, delays, confuses or allows.
"""

from . import answers, connections, deliveries, limits, rights, schema
from .registry import REGISTRY, Defect, chosen, with_defects

__all__ = [
    "REGISTRY",
    "Defect",
    "answers",
    "chosen",
    "connections",
    "deliveries",
    "limits",
    "rights",
    "schema",
    "with_defects",
]
