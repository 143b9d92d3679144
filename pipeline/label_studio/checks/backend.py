"""Checks of the ML backend of a project and of its webhook."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.label_studio.checks.result import CREATE_AGAIN, CheckResult, fail, ok, warn
from pipeline.label_studio.client import LabelStudio
from pipeline.label_studio.ml_backend import (
    CONNECTED,
    SECRET_HEADER,
    is_own_backend,
    is_secured,
    stray_webhooks,
    webhook_url,
)
from pipeline.settings import Settings

ANSWER_SECONDS = 5.0
UNAUTHORIZED = 401


def backend(client: LabelStudio, settings: Settings, project_id: int) -> Iterator[CheckResult]:
    """Check that the project has one backend, which Label Studio reaches with the right password."""
    backends = [each for each in client.backends(project_id) if is_own_backend(each, settings)]
    if not backends:
        yield warn(
            "backend",
            "not connected: labels arrive by `wildloop sync` only, and tasks outside the queue have no "
            "prediction",
            CREATE_AGAIN,
        )
        return
    connected, url = backends[0], settings.backend_url
    rejected = "401" in (connected["error_message"] or "") and connected["state"] != CONNECTED
    if connected["url"].rstrip("/") != url:
        yield fail("backend", f"connected at {connected['url']}, not at {url}", CREATE_AGAIN)
    elif connected["state"] != CONNECTED and not rejected:
        yield fail(
            "backend",
            f"Label Studio cannot reach {url}: {connected['error_message'] or 'no answer'}",
            "start it with `wildloop serve`; WILDLOOP_BACKEND_URL is its address as Label Studio reaches it",
        )
    else:
        yield _password(url, rejected=rejected, takes_ours=takes_password(settings))
    if len(backends) > 1:
        yield warn("backend", f"connected {len(backends)} times", CREATE_AGAIN)


def webhooks(client: LabelStudio, settings: Settings, project_id: int) -> Iterator[CheckResult]:
    """Check that one webhook sends everything to the backend, with its secret."""
    found = client.webhooks(project_id)
    present = [webhook for webhook in found if webhook["url"] == webhook_url(settings)]
    for webhook in stray_webhooks(found, settings):
        yield warn("webhook", f"a superfluous one sends to {webhook['url']}", CREATE_AGAIN)
    if not present:
        yield warn("webhook", "none: labels arrive by `wildloop sync` only", CREATE_AGAIN)
    elif not is_secured(present[0], settings):
        yield fail(
            "webhook",
            f"{present[0]['url']} is inactive, or lacks the header {SECRET_HEADER}: the backend rejects it",
            CREATE_AGAIN,
        )
    else:
        yield ok("webhook", f"{present[0]['url']} with its secret")


def takes_password(settings: Settings) -> bool | None:
    """Whether the backend takes the password of these settings; None if it does not answer from here."""
    import httpx

    auth = (settings.basic_auth_user or "", settings.basic_auth_password or "")
    try:
        answer = httpx.get(f"{settings.backend_url}/versions", auth=auth, timeout=ANSWER_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    return answer.status_code != UNAUTHORIZED


def _password(url: str, *, rejected: bool, takes_ours: bool | None) -> CheckResult:
    """Who has another password: Label Studio, if its own was rejected, or this shell, or the backend."""
    same = "with the same data folder and the same WILDLOOP_BASIC_AUTH_PASSWORD"
    if not rejected and takes_ours is not False:
        return ok("backend", f"connected at {url}")
    if not rejected:
        return fail(
            "backend",
            f"{url} takes the password of Label Studio, but not that of these settings",
            f"run this shell's commands {same} as `wildloop serve`",
        )
    what = f"{url} rejects the password that Label Studio sends"
    if takes_ours:
        return fail("backend", f"{what}, and takes that of these settings", CREATE_AGAIN)
    return fail("backend", what, f"restart `wildloop serve` {same}, then {CREATE_AGAIN}")
