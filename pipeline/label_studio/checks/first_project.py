"""What `wildloop project create` needs of the server, tried on a project that is removed again."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.errors import WildloopError
from pipeline.label_studio import ml_backend
from pipeline.label_studio.checks.result import CheckResult, State, broken, fail, ok
from pipeline.label_studio.checks.served import file_serving, same_root
from pipeline.label_studio.checks.server import addresses, prediction_import
from pipeline.label_studio.client import LabelStudio
from pipeline.settings import Settings

TITLE = "Wildloop doctor (removed at once)"


def examine_first_project(client: LabelStudio, settings: Settings) -> Iterator[CheckResult]:
    """Check everything that creating a project needs, so that one restart of the server mends it all.

    Some settings of a server show only on a project, so this creates one and removes it. `settings` must
    hold every secret.
    """
    try:
        project_id = int(client.create_project(title=TITLE)["id"])
    except WildloopError as exc:
        yield broken("new project", exc)
        return
    results: list[CheckResult] = []
    try:
        results += _tried(client, settings, project_id)
    except WildloopError as exc:
        results.append(broken("new project", exc))
    try:
        client.delete_project(project_id)
    except WildloopError as exc:
        results.append(fail("new project", str(exc), f"delete the project {TITLE!r} in Label Studio"))
    yield from results


def _tried(client: LabelStudio, settings: Settings, project_id: int) -> Iterator[CheckResult]:
    yield file_serving(client)
    yield from same_root(client, settings, project_id)
    reachable = addresses(client, settings, project_id)
    yield reachable
    if reachable.state is State.OK:
        try:
            ml_backend.connect(client, settings, project_id)
            yield ok("backend", f"Label Studio reaches {settings.backend_url}")
        except WildloopError as exc:
            yield broken("backend", exc)
    yield prediction_import(client, project_id)
