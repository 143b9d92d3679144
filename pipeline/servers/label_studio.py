"""The command and the environment of a Label Studio with every setting that Wildloop needs."""

from __future__ import annotations

from pathlib import Path

from pipeline.local_label_studio import Account
from pipeline.servers.processes import INSTALL, executable
from pipeline.settings import child_environ

# One key submits, and the one that Label Studio has for it goes on working.
KEYMAP = '{"annotation:submit": {"key": "space,ctrl+enter", "mac": "space,command+enter"}}'
# Prefixes of variables meant for another Label Studio on this machine; ours must not see them.
_FOREIGN = ("LABEL_STUDIO_", "HEARTEX_", "POSTGRE_", "REDIS_", "DJANGO_")


def command(port: int, *, host: str = "127.0.0.1") -> list[str]:
    """The command line. Raises ServerError if Label Studio is not installed."""
    program = executable("label-studio", remedy=INSTALL)
    return [program, "start", "--no-browser", "--internal-host", host, "--port", str(port)]


def environ(account: Account, *, url: str, data_dir: Path, served_dir: Path) -> dict[str, str]:
    """The environment of a Label Studio with its data in `data_dir` that may serve files in `served_dir`."""
    inherited = {name: value for name, value in child_environ({}).items() if not name.startswith(_FOREIGN)}
    return inherited | {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data_dir),
        "LABEL_STUDIO_HOST": url,
        "LABEL_STUDIO_USERNAME": account.user,
        "LABEL_STUDIO_PASSWORD": account.password,
        "LABEL_STUDIO_USER_TOKEN": account.token,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",  # other tokens cannot be chosen in advance
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(served_dir),
        "DJANGO_DB": "sqlite",
        "ML_BLOCK_LOCAL_IP": "false",  # allows a backend on this machine
        "SSRF_PROTECTION_ENABLED": "false",  # allows a webhook to this machine
        # Without this flag an import of predictions recounts every task of the project.
        "fflag_fix_back_4620_memory_efficient_predictions_import_08012025_short": "true",
        "EDITOR_KEYMAP": inherited.get("EDITOR_KEYMAP") or KEYMAP,
        "LOG_LEVEL": "WARNING",
        "COLLECT_ANALYTICS": "False",
        "LATEST_VERSION_CHECK": "False",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }
