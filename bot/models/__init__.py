"""The tables, by subject; all of them are read here, so that whoever needs one has the whole schema."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
