"""The sections of a report, one module each; a module that defines one with `@section` is found here."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
