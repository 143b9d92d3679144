"""Checks that Label Studio serves the crops: document roots, file serving, storages, the files themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import SettingsError
from pipeline.label_studio.checks.result import CREATE_AGAIN, CheckResult, broken, fail, ok, warn
from pipeline.label_studio.client import LabelStudio
from pipeline.label_studio.connection import ApiResponseError
from pipeline.label_studio.files import ROOT_VARIABLE, ServedFiles, within
from pipeline.settings import Settings

SERVING_VARIABLE = "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED"
GONE = 404  # the status of a deleted task
SERVING_IS_OFF = 403  # the status of every local file then
_PROBE = "data/local-files/?d=wildloop-doctor"  # no file
_ROOT = re.compile(r'LOCAL_FILES_DOCUMENT_ROOT="([^"]*)"')


def examine_document_root(settings: Settings) -> CheckResult:
    """Check that Label Studio could serve the data folder at all; needs no server."""
    try:
        served = ServedFiles.of(settings)
    except SettingsError as exc:
        return broken("document root", exc)
    return ok("document root", f"{served.root} holds the data folder")


def server_root(client: LabelStudio, project_id: int) -> Path | None:
    """The document root of the server, which it names when it refuses to serve everything; else None."""
    message = client.refusal_of(
        "checking the document root",
        "api/storages/localfiles/validate",
        {"project": project_id, "path": "/"},
    )
    found = _ROOT.search(message)
    return None if found is None else Path(found[1])


def file_serving(client: LabelStudio) -> CheckResult:
    """Check that the server serves local files."""
    try:
        client.content(_PROBE)
    except ApiResponseError as refusal:
        if refusal.status == SERVING_IS_OFF:
            return fail(
                "file serving", "Label Studio serves no local files", f"start it with {SERVING_VARIABLE}=true"
            )
    return ok("file serving", "Label Studio serves local files")


def same_root(client: LabelStudio, settings: Settings, project_id: int) -> Iterator[CheckResult]:
    """Check that the server has the document root of these settings."""
    try:
        served = ServedFiles.of(settings)
    except SettingsError:
        return  # `examine_document_root` names it
    root = server_root(client, project_id)
    if root is not None and root.resolve() != served.root.resolve():
        yield fail(
            "document root",
            f"Label Studio's is {root}, not {served.root}",
            _root_remedy(settings, served, root),
        )


def files(
    client: LabelStudio, settings: Settings, project_id: int, shown: Sequence[tuple[int, str]]
) -> Iterator[CheckResult]:
    """Check that Label Studio serves the project's crops; each cause is named alone, without what follows.

    `shown` are some tasks, with their crops below the data folder.
    """
    try:
        served = ServedFiles.of(settings)
    except SettingsError:
        return  # `examine_document_root` names it
    present = {storage["path"] for storage in client.local_storages(project_id)}
    missing = [path for path in served.folders if path not in present]
    if missing:
        yield fail("local storage", f"the project lacks {', '.join(missing)}", CREATE_AGAIN)
        return
    yield ok("local storage", ", ".join(served.folders))
    yield from _path(client)
    if not shown:
        yield warn("crops", "none is published, so none could be fetched", "run `wildloop publish`")
        return
    absent = [crop for _, crop in shown if not (settings.data_dir / crop).is_file()]
    if absent:
        yield fail(
            "crops",
            f"{len(absent)} of {len(shown)} published crops do not exist, such as "
            f"{settings.data_dir / absent[0]}",
            "restore the data folder from a backup, or set WILDLOOP_DATA_DIR to the right folder",
        )
        return
    others = list(same_root(client, settings, project_id))  # with another root every address looks wrong
    yield from others or [_fetched(client, settings, served, project_id, shown[0][0])]


def _path(client: LabelStudio) -> Iterator[CheckResult]:
    """Check that a Label Studio below a path knows so: it would send browsers elsewhere."""
    own, used = client.browser_path(), urlsplit(client.url).path
    if used and own != used:
        yield fail(
            "address",
            f"LABEL_STUDIO_URL is below {used}, but Label Studio itself is set up for {own or '/'}: browsers "
            "miss its pages and pictures",
            f"start it with LABEL_STUDIO_HOST={client.url}",
        )


def _fetched(
    client: LabelStudio, settings: Settings, served: ServedFiles, project_id: int, task: int
) -> CheckResult:
    """Fetch the pictures of a task as a browser does, from the addresses in its data."""
    path = client.browser_path()
    try:
        data = client.task(task)["data"]
    except ApiResponseError as refusal:
        if refusal.status != GONE:
            raise
        return warn("crops", f"task {task} was deleted", "run `wildloop publish`: it creates the task again")
    # Tasks of earlier releases have two pictures, and each its own field.
    for field in ("picture",) if "picture" in data else ("crop", "frame"):
        address = str(data.get(field))
        inside = within(address, path)
        if inside is None or not inside.startswith(served.prefix):
            return fail(
                "crops",
                f"task {task} shows its {field} from {address}, but Label Studio serves it below "
                f"{path}{served.prefix}",
                "run `wildloop publish`: it gives tasks published before the present address",
            )
        try:
            client.content(inside)
        except ApiResponseError as refusal:
            if refusal.status == SERVING_IS_OFF:
                remedy = f"start Label Studio with {SERVING_VARIABLE}=true"
            else:
                remedy = _unserved_remedy(settings, served, server_root(client, project_id))
            return fail("crops", f"Label Studio answers {refusal.status} for {address}", remedy)
    return ok("crops", "Label Studio serves them")


def _unserved_remedy(settings: Settings, served: ServedFiles, root: Path | None) -> str:
    """What to do about a file that is not served: `root` is the server's, the same as ours, or unknown."""
    if root is None:
        return f"set the same {ROOT_VARIABLE} for Label Studio and for wildloop (here {served.root})"
    return f"let Label Studio's user read {settings.data_dir}"


def _root_remedy(settings: Settings, served: ServedFiles, root: Path) -> str:
    """How both get one document root that holds the data folder, where the server's is another."""
    if root != settings.data_dir and settings.data_dir.is_relative_to(root):
        return f"set {ROOT_VARIABLE}={root} for wildloop, as Label Studio has it"
    return f"start Label Studio with {ROOT_VARIABLE}={served.root}, which holds the data folder"
