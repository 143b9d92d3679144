"""Wildloop from Python: everything that the command line does, with data instead of text as the result.

    import wildloop

    workspace = wildloop.open_workspace("wildloop-data")
    wildloop.import_folder(workspace, "photographs", detector="whole-frame")

`__init__.pyi` lists all names; each is loaded when it is first used. docs/python.md shows a whole project.
"""

import lazy_loader

from pipeline import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
