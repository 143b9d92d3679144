"""All checks of an installation: its packages, its store, its Redis, and Label Studio."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import packages_distributions

import sqlalchemy as sa

from pipeline.errors import LabelStudioError, StoreError
from pipeline.label_studio.checks import CheckResult, examine_project, examine_server, fail, ok, warn
from pipeline.label_studio.client import LabelStudio
from pipeline.records import ProjectRecord
from pipeline.settings import Settings
from pipeline.store import projects, tasks
from pipeline.store.database import Database

DISTRIBUTION = "wildloop"
PACKAGES = ("backend", "importers", "pipeline")


def examine(settings: Settings) -> Iterator[CheckResult]:
    """The results, one after another. `settings` must hold every secret (`Settings.with_secrets`).

    Takes settings rather than a workspace: the store may be what is broken.
    """
    yield package_names(packages_distributions())
    yield from _redis(settings)
    stored: list[tuple[ProjectRecord, str | None]] = []
    try:
        stored = _projects(settings)
        kind = sa.make_url(settings.database_url).get_backend_name()
        yield ok("store", f"{kind}, {len(stored)} projects")
    except StoreError as exc:
        yield fail("store", exc.what, exc.remedy or "see WILDLOOP_DATABASE_URL")
    try:
        client = LabelStudio(settings.label_studio_url, settings.label_studio_api_key)
    except LabelStudioError as exc:
        yield fail("token", exc.what, exc.remedy or "see LABEL_STUDIO_API_KEY")
        return
    healthy = True
    for result in examine_server(client):
        healthy = healthy and result.state != "fail"
        yield result
    if not healthy:
        return
    if not stored:
        yield warn("project", "there is none in the store", "run `wildloop project create`")
    for record, crop in stored:
        for result in examine_project(client, settings, record, crop):
            yield replace(result, project=record.id)


def package_names(owners: Mapping[str, Sequence[str]]) -> CheckResult:
    """Whether another distribution installs modules under our package names.

    `owners` are the distributions of each top-level package (`importlib.metadata`).
    """
    foreign = {
        name: sorted(set(owners.get(name, ())) - {DISTRIBUTION})
        for name in PACKAGES
        if set(owners.get(name, ())) - {DISTRIBUTION}
    }
    if not foreign:
        return ok("package names", f"{', '.join(PACKAGES)} belong to {DISTRIBUTION} alone")
    named = "; ".join(f"{name} also belongs to {', '.join(owned)}" for name, owned in foreign.items())
    return fail("package names", named, f"install {DISTRIBUTION} in an environment of its own")


def _projects(settings: Settings) -> list[tuple[ProjectRecord, str | None]]:
    """Every stored project, with the path of one of its crops if it has any."""
    database = Database(settings.database_url)
    try:
        database.migrate()
        with database.read() as conn:
            return [(record, tasks.any_crop(conn, record.id)) for record in projects.all(conn)]
    finally:
        database.dispose()


def _redis(settings: Settings) -> Iterator[CheckResult]:
    if settings.redis_url is None:
        return
    import redis

    try:
        redis.Redis.from_url(settings.redis_url, socket_timeout=3, socket_connect_timeout=3).ping()
    except (redis.RedisError, ValueError) as exc:
        yield fail("redis", f"REDIS_URL does not answer: {exc}", "start it, or unset REDIS_URL")
    else:
        yield ok("redis", "answers")
