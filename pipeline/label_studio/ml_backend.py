"""The ML backend and the webhook that connect a Label Studio project to Wildloop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import LabelStudioError
from pipeline.label_studio.client import BASIC_AUTH
from pipeline.label_studio.connection import ApiResponseError
from pipeline.label_studio.roles import ConnectionClient
from pipeline.settings import Settings

BACKEND_TITLE = "Wildloop"
SECRET_HEADER = "X-Wildloop-Secret"
CONNECTED = "CO"  # state of an ML backend

Json = Mapping[str, Any]


def webhook_url(settings: Settings) -> str:
    """The address to which Label Studio sends webhooks."""
    return f"{settings.backend_url}/webhook"


def is_own_backend(backend: Json, settings: Settings) -> bool:
    """Whether this ML backend is Wildloop's, at its present or an earlier address."""
    return backend["title"] == BACKEND_TITLE or _url(backend) == settings.backend_url


def stray_webhooks(webhooks: Sequence[Json], settings: Settings) -> list[Json]:
    """Earlier webhooks of Wildloop, and repetitions of the present one.

    Label Studio keeps a webhook when its ML backend is deleted or gets another address.
    """
    present = _at_address(webhooks, settings)
    former = [
        webhook
        for webhook in webhooks
        if webhook["url"] != webhook_url(settings) and SECRET_HEADER in (webhook["headers"] or {})
    ]
    return [*present[1:], *former]


def is_secured(webhook: Json, settings: Settings) -> bool:
    """Whether the webhook is active, sends all actions with their payload, and carries the secret."""
    return bool(
        webhook["is_active"]
        and webhook["send_payload"]
        and webhook["send_for_all_actions"]
        and (webhook["headers"] or {}).get(SECRET_HEADER) == settings.webhook_secret
    )


def is_blocked(detail: str) -> bool:
    """Whether this error of Label Studio is about an address that is local or private."""
    return "reserved network" in detail or "private network" in detail


def connect(client: ConnectionClient, settings: Settings, project_id: int) -> list[str]:
    """Connect the project to the backend, with one webhook; returns a line for each change.

    Raises LabelStudioError, also if the backend is not running: Label Studio calls it to connect it.
    """
    backends = [backend for backend in client.backends(project_id) if is_own_backend(backend, settings)]
    webhooks_before = client.webhooks(project_id)
    former_urls = {f"{_url(backend)}/webhook" for backend in backends} - {webhook_url(settings)}
    changes = []
    if not backends or not _is_up_to_date(backends[0], settings):
        _connect_backend(client, settings, project_id, int(backends[0]["id"]) if backends else None)
        changes.append(f"ML backend {'changed' if backends else 'connected'}: {settings.backend_url}")
    for backend in backends[1:]:
        client.delete_backend(int(backend["id"]))
        changes.append(f"duplicate ML backend deleted: {backend['url']}")
    former = [webhook for webhook in webhooks_before if webhook["url"] in former_urls]
    webhooks = client.webhooks(project_id)
    changes += _delete_webhooks(client, settings, webhooks, former)
    changes += _secure_webhook(client, settings, project_id, webhooks)
    return changes


def _is_up_to_date(backend: Json, settings: Settings) -> bool:
    """Whether the backend needs no change. If its state is connected, its password is right, too."""
    return (
        backend["state"] == CONNECTED
        and _url(backend) == settings.backend_url
        and backend["title"] == BACKEND_TITLE
        and backend["auth_method"] == BASIC_AUTH
        and backend["basic_auth_user"] == settings.basic_auth_user
    )


def _connect_backend(
    client: ConnectionClient, settings: Settings, project_id: int, backend_id: int | None
) -> None:
    try:
        client.connect_backend(
            project_id,
            url=settings.backend_url,
            title=BACKEND_TITLE,
            user=settings.basic_auth_user or "",
            password=settings.basic_auth_password or "",
            backend_id=backend_id,
        )
    except ApiResponseError as error:
        raise LabelStudioError(
            f"Label Studio does not accept the ML backend at {settings.backend_url}: {error.detail}",
            remedy=_remedy(error.detail),
        ) from error


def _remedy(detail: str) -> str:
    """What to do if Label Studio does not accept the backend."""
    if is_blocked(detail):
        return "start Label Studio with ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false"
    if "authentication parameters" in detail or "401" in detail:
        return "the backend uses other secrets: run it with the same settings and data folder"
    return "start it with `wildloop serve`, and set WILDLOOP_BACKEND_URL to its address for Label Studio"


def _delete_webhooks(
    client: ConnectionClient, settings: Settings, webhooks: Sequence[Json], former: Sequence[Json]
) -> list[str]:
    """Delete stray webhooks, and those of backends at a `former` address."""
    stray = stray_webhooks(webhooks, settings)
    changes = []
    for webhook in stray:
        client.delete_webhook(int(webhook["id"]))
        changes.append(f"unused webhook deleted: {webhook['url']}")
    deleted = {int(webhook["id"]) for webhook in stray}
    for webhook in former:
        if int(webhook["id"]) not in deleted:
            client.delete_webhook(int(webhook["id"]))
            changes.append(f"webhook of the former address deleted: {webhook['url']}")
    return changes


def _secure_webhook(
    client: ConnectionClient, settings: Settings, project_id: int, webhooks: Sequence[Json]
) -> list[str]:
    """Make sure there is a webhook with the secret: Label Studio creates one without it."""
    url = webhook_url(settings)
    headers = {SECRET_HEADER: settings.webhook_secret or ""}
    present = _at_address(webhooks, settings)
    try:
        if not present:
            client.create_webhook(project_id, url=url, headers=headers)
            return [f"webhook added: {url}"]
        if not is_secured(present[0], settings):
            client.update_webhook(int(present[0]["id"]), url=url, headers=headers)
            return [f"secret added to webhook: {url}"]
    except ApiResponseError as error:
        raise LabelStudioError(
            f"Label Studio does not accept the webhook {url}: {error.detail}",
            remedy="start Label Studio with SSRF_PROTECTION_ENABLED=false",
        ) from error
    return []


def _at_address(webhooks: Sequence[Json], settings: Settings) -> list[Json]:
    """The webhooks with the present address."""
    return [webhook for webhook in webhooks if webhook["url"] == webhook_url(settings)]


def _url(backend: Json) -> str:
    return str(backend["url"]).rstrip("/")
