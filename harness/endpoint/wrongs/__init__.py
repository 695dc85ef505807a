"""The registered defects, by what they are wrong about. Importing this package fills `defects.REGISTRY`.

Each is a function from honest parts to bent ones. None may be known to honest code, and none may write what no real
endpoint would: it forgets, repeats, delays, confuses or allows.
"""

from . import answers, connections, deliveries, limits, rights, schema

__all__ = ["answers", "connections", "deliveries", "limits", "rights", "schema"]
