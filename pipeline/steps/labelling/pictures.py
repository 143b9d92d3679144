"""The addresses of pictures in tasks that are published already -> those under which they are served now."""

from __future__ import annotations

from collections import defaultdict

from pipeline.label_studio.files import ServedFiles
from pipeline.label_studio.roles import TaskClient
from pipeline.store import projects, tasks
from pipeline.store.database import chunks
from pipeline.workspace import Workspace

PAGE = 1_000  # tasks compared, and changed, at once


def move_pictures(workspace: Workspace, client: TaskClient, project_id: int, served: ServedFiles) -> int:
    """Give the tasks of a project the addresses of `served`, unless they were published with these.

    Returns the number of tasks that were changed. Annotations and predictions stay as they are. An
    interrupted run is completed by the next. Raises LabelStudioError.
    """
    with workspace.database.read() as conn:
        if projects.get(conn, project_id).served_from == served.prefix:
            return 0
    moved = 0
    for page in chunks(client.tasks(project_id), PAGE):
        shows = {int(task["id"]): task["data"] for task in page}
        with workspace.database.read() as conn:
            content_of = tasks.contents(conn, {str(data.get("detection_id")) for data in shows.values()})
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)  # by field and former prefix
        changed = set()
        for task_id, data in shows.items():
            content = content_of.get(str(data.get("detection_id")))
            if content is None:  # a task that Wildloop did not create
                continue
            paths = {"crop": content.crop_path, "frame": content.frame_path or content.crop_path}
            for field, path in paths.items():
                former = _prefix(str(data.get(field)), served.address(path), served)
                if former is not None:
                    groups[field, former].append(task_id)
                    changed.add(task_id)
        for (field, former), task_ids in groups.items():
            client.replace_in_tasks(project_id, task_ids, field, former=former, new=served.prefix)
        moved += len(changed)
    with workspace.database.write() as conn:
        projects.set_served_from(conn, project_id, served.prefix)
    return moved


def _prefix(present: str, wanted: str, served: ServedFiles) -> str | None:
    """What to replace in the address `present`; None if it is right, or of another file."""
    file = wanted.removeprefix(served.prefix)
    return present.removesuffix(file) if present != wanted and present.endswith(f"/{file}") else None
