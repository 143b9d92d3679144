"""Checks of a Label Studio server and of the projects on it; each failure comes with its remedy.

The checks use the API and leave nothing changed. Some settings of the server show only in its error
messages: for these a check sends a request that the server refuses in any case, and reads why.
"""

from pipeline.label_studio.checks.first_project import examine_first_project
from pipeline.label_studio.checks.project import examine_project
from pipeline.label_studio.checks.result import CheckResult, State, fail, ok, warn
from pipeline.label_studio.checks.served import examine_document_root
from pipeline.label_studio.checks.server import examine_server

__all__ = [
    "CheckResult",
    "State",
    "examine_document_root",
    "examine_first_project",
    "examine_project",
    "examine_server",
    "fail",
    "ok",
    "warn",
]
