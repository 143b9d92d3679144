"""What tasks show -> what it should be now: the addresses of pictures, and the locations."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from pipeline.label_studio.files import ServedFiles
from pipeline.label_studio.roles import TaskClient
from pipeline.store import projects, tasks
from pipeline.store.database import chunks
from pipeline.store.tasks import TaskContent
from pipeline.workspace import Workspace

PAGE = 1_000  # tasks compared, and changed, at once


def task_data(served: ServedFiles, content: TaskContent) -> dict[str, Any]:
    """The `data` of a task. Texts are never null, since the label config displays each of them."""
    return {
        "detection_id": content.detection_id,
        "crop": served.address(content.crop_path),
        "frame": served.address(content.frame_path or content.crop_path),
        "location": content.location or "",
        "datetime": content.datetime.isoformat(" ", "seconds") if content.datetime else "",
        "file_name": content.file_name,
        "sequence": content.sequence or "",
        "bbox_confidence": content.bbox_confidence,
    }


def mend_tasks(workspace: Workspace, client: TaskClient, project_id: int, served: ServedFiles) -> int:
    """Give the tasks of a project the addresses of `served` and the present locations.

    Looks at them only if their pictures were published at other addresses, or if an import has given
    photographs other locations since (`projects.mend_tasks`). Returns the number of tasks that were
    changed. Annotations and predictions stay as they are. An interrupted run is completed by the next.
    Raises LabelStudioError.
    """
    with workspace.database.read() as conn:
        if projects.get(conn, project_id).served_from == served.prefix:
            return 0
    with workspace.database.write() as conn:
        projects.begin_mending(conn, project_id)
    mended = 0
    for page in chunks(client.tasks(project_id), PAGE):
        shows = {int(task["id"]): task["data"] for task in page}
        with workspace.database.read() as conn:
            content_of = tasks.contents(conn, {str(data.get("detection_id")) for data in shows.values()})
        prefixes: dict[tuple[str, str], list[int]] = defaultdict(list)  # by field and former prefix
        locations: dict[str, list[int]] = defaultdict(list)  # by the present location
        for task_id, data in shows.items():
            content = content_of.get(str(data.get("detection_id")))
            if content is None:  # a task that Wildloop did not create
                continue
            wanted = task_data(served, content)
            for field in ("crop", "frame"):
                former = _prefix(str(data.get(field)), wanted[field], served)
                if former is not None:
                    prefixes[field, former].append(task_id)
            if data.get("location") != wanted["location"]:
                locations[wanted["location"]].append(task_id)
        for (field, former), task_ids in prefixes.items():
            client.replace_in_tasks(project_id, task_ids, field, former=former, new=served.prefix)
        for location, task_ids in locations.items():
            client.set_in_tasks(project_id, task_ids, "location", location)
        mended += len({number for group in (*prefixes.values(), *locations.values()) for number in group})
    with workspace.database.write() as conn:
        projects.end_mending(conn, project_id, served.prefix)
    return mended


def _prefix(present: str, wanted: str, served: ServedFiles) -> str | None:
    """What to replace in the address `present`; None if it is right, or of another file."""
    file = wanted.removeprefix(served.prefix)
    return present.removesuffix(file) if present != wanted and present.endswith(f"/{file}") else None
