"""The findings: what is wrong with the endpoint. A module that defines one with `@finding` is found here.

Each defect of an endpoint is to show under its own name and no other, so what explains one finding is left out of the
next. What failed because this machine ran out of something (descriptors, ports, memory) is no defect of the endpoint:
fitness reports it.
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
