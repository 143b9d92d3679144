"""The photographs as the cameras took them, for annotators who ask to see one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pipeline.files import reading
from pipeline.label_studio.files import ServedFiles
from pipeline.store.tasks import TaskContent

FOLDER = "originals"  # below the data folder: links to photographs, which Label Studio follows
SHOWN = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")  # what browsers show


def original_address(served: ServedFiles, data_dir: Path, content: TaskContent) -> str | None:
    """The address of the photograph itself; None if browsers cannot get it.

    A file is served through a link in the data folder, so that nothing is copied and nothing else of its
    folder can be seen. A photograph in a zip, or a frame of a video, has no file of its own.
    """
    if reading.is_url(content.path):
        return content.path if content.path.startswith(("http://", "https://")) else None
    photograph = Path(content.path)
    if photograph.suffix.lower() not in SHOWN or not photograph.is_file():
        return None
    name = f"{content.image_id}{photograph.suffix.lower()}"
    link = data_dir / FOLDER / name[:2] / name
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink() or link.readlink() != photograph.absolute():
            with suppress(FileNotFoundError):
                link.unlink()
            link.symlink_to(photograph.absolute())
    except OSError:  # a file system without links
        return None
    return served.address(f"{FOLDER}/{name[:2]}/{name}")
