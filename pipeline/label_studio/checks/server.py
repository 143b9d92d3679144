"""Checks of the server: that it answers, whose token it takes, what it may connect to, how it imports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from pipeline.errors import LabelStudioError
from pipeline.label_studio.checks.result import CheckResult, broken, fail, ok, warn
from pipeline.label_studio.client import LabelStudio
from pipeline.label_studio.connection import ApiResponseError
from pipeline.label_studio.ml_backend import is_blocked, webhook_url
from pipeline.settings import Settings

FAST_IMPORT_FLAG = "fflag_fix_back_4620_memory_efficient_predictions_import_08012025_short"
NO_TOKEN = "none"  # in place of a missing token: the version of a server can be read without one


def examine_server(client: LabelStudio, *, has_token: bool = True) -> Iterator[CheckResult]:
    """Check that the server answers and accepts the token; stops at the first failure.

    Without a token, `client` has any text in its place.
    """
    try:
        yield ok("server", f"Label Studio {client.version()} at {client.url}")
    except LabelStudioError as exc:
        if isinstance(exc, ApiResponseError) and _is_ml_backend(client):
            yield fail(
                "server",
                f"{client.url} is an ML backend, not Label Studio",
                "set LABEL_STUDIO_URL to the address of Label Studio; the backend's own address belongs into "
                "WILDLOOP_BACKEND_URL",
            )
        else:
            yield broken("server", exc)
        return
    if not has_token:
        yield fail(
            "token",
            "LABEL_STUDIO_API_KEY is not set",
            "copy a token from Account & Settings > Access Token into LABEL_STUDIO_API_KEY",
        )
        return
    kind = "legacy token" if client.uses_legacy_token else "refresh token"
    try:
        yield ok("token", f"{kind} of {client.whoami().get('email')}")
    except LabelStudioError as exc:
        remedy = "copy a token from Account & Settings > Access Token into LABEL_STUDIO_API_KEY"
        if client.uses_legacy_token:
            remedy += (
                "; legacy tokens work only if the server runs with LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN=true"
            )
        yield fail("token", str(exc), remedy)


def addresses(client: LabelStudio, settings: Settings, project_id: int) -> CheckResult:
    """Check that the server may connect to the backend's address; the other fields are wrong on purpose."""
    backend = client.refusal_of(
        "checking whether the backend's address is allowed",
        "api/ml",
        {"project": project_id, "url": settings.backend_url, "timeout": "not a number"},
    )
    webhook = client.refusal_of(
        "checking whether the webhook's address is allowed",
        "api/webhooks/",
        {"project": project_id, "url": webhook_url(settings), "headers": "not an object"},
    )
    blocked = [
        variable
        for variable, message in (("ML_BLOCK_LOCAL_IP", backend), ("SSRF_PROTECTION_ENABLED", webhook))
        if is_blocked(message)
    ]
    if blocked:
        return fail(
            "local addresses",
            f"Label Studio refuses to connect to {settings.backend_url}",
            f"start it with {' and '.join(f'{variable}=false' for variable in blocked)}",
        )
    return ok("local addresses", f"Label Studio may connect to {settings.backend_url}")


def prediction_import(client: LabelStudio, project_id: int) -> CheckResult:
    """Check which of two code paths imports predictions: their error messages for task 0 differ."""
    message = client.refusal_of(
        "checking how predictions are imported",
        f"api/projects/{project_id}/import/predictions",
        [{"task": 0, "result": [], "score": 0, "model_version": "wildloop-doctor"}],
    )
    remedy = f"start Label Studio with {FAST_IMPORT_FLAG}=true"
    if "task ID 0 not found" in message:
        return ok("prediction import", "fast")
    if "Invalid task ID 0" in message or "corresponding task ID" in message:
        return warn("prediction import", "slow: each import recounts every task of the project", remedy)
    return warn("prediction import", f"fast or slow: unknown, the server says {message!r}", remedy)


def _is_ml_backend(client: LabelStudio) -> bool:
    """Whether the server answers as ML backends do, which all name their model class."""
    with suppress(LabelStudioError):
        return b'"model_class"' in client.content("health")
    return False
