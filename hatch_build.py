"""A build hook that refuses pip and names the line that works.

label-studio-ml 1.0.9 requires Flask 1.1.2, Werkzeug 2.0.2 and Jinja2 3.0.3. uv lifts these pins by the
`override-dependencies` in pyproject.toml; pip has no way to, and would end in a conflict after a minute.
"""

from __future__ import annotations

import os
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MESSAGE = """\
pip cannot install wildloop: label-studio-ml 1.0.9 pins Flask, Werkzeug and Jinja2 to releases of 2021,
and only uv can lift these pins. Run instead, in the folder of the source:

    python3 -m pip install uv && python3 -m uv pip install .
"""


class RefusePip(BuildHookInterface[Any]):
    """Fails the build if pip runs it."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raises SystemExit under pip, which marks its builds by an environment variable."""
        if "PIP_BUILD_TRACKER" in os.environ:
            raise SystemExit(MESSAGE)
