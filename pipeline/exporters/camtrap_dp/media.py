"""The rows of the media table: photographs, and videos of which frames were imported."""

from __future__ import annotations

import datetime as dt
import re
from urllib.parse import quote

from PIL import Image

from pipeline.camtrap_dp import FILE_PATH, MISSING
from pipeline.exporters.camtrap_dp.deployments import ExportedDeployment
from pipeline.exporters.camtrap_dp.source_rows import SourceRows, cells
from pipeline.records import ImageRecord

Row = dict[str, str]

_TYPES = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "jpe": "image/jpeg",
    "jfif": "image/jpeg",
    "png": "image/png",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "bmp": "image/bmp",
    "webp": "image/webp",
    "gif": "image/gif",
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "avi": "video/x-msvideo",
    "mov": "video/quicktime",
    "mkv": "video/x-matroska",
    "mpg": "video/mpeg",
    "mpeg": "video/mpeg",
    "wmv": "video/x-ms-wmv",
    "webm": "video/webm",
    "3gp": "video/3gpp",
    "mts": "video/mp2t",
    "m2ts": "video/mp2t",
    "flv": "video/x-flv",
}
_REMOTE = re.compile(r"https?://", re.IGNORECASE)


def path_of(image: ImageRecord, came: SourceRows | None) -> str:
    """The path or URL of a photograph: that of its package, its URL, or its name below its folder."""
    said = came.medium.get("filePath") if came is not None else None
    return said or (image.path if is_remote(image) else image.file_name)


def is_remote(image: ImageRecord) -> bool:
    """Whether a photograph lies at a URL."""
    return _REMOTE.match(image.path) is not None


def medium_of(
    image: ImageRecord, time: dt.datetime, deployment: ExportedDeployment, came: SourceRows | None
) -> Row:
    """The row of a photograph that was taken at `time`, without its ids.

    What a package said of it comes as it came.
    """
    row = {
        "timestamp": deployment.stamp(time),
        "filePath": allowed(path_of(image, came)),
        "filePublic": "true" if is_remote(image) else "false",
        "fileMediatype": media_type(image.file_name, image.path),
    }
    if came is not None and came.medium:
        said = {name: text for name, text in cells("media", came.medium, deployment.clock).items() if text}
        return {**row, **said, "timestamp": deployment.time(time, came.medium.get("timestamp"))}
    return {
        **row,
        "fileName": image.file_name.rpartition("/")[2],
        "mediaComments": f"{image.failure}: {image.failure_detail or ''}" if image.failure else "",
    }


def media_type(name: str, path: str | None = None) -> str:
    """The media type of a file by its ending, else by the picture at `path`, else that of JPEG."""
    known = _TYPES.get(name.rpartition(".")[2].lower())
    return known or (_type_of_picture(path) if path is not None else None) or "image/jpeg"


def _type_of_picture(path: str) -> str | None:
    try:
        with Image.open(path) as picture:
            return picture.get_format_mimetype()
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def allowed(name: str) -> str:
    """A file name that the standard allows, with percent encoding for what it forbids."""
    if FILE_PATH.match(name) and name not in MISSING:
        return name
    quoted = quote(name).replace("..", "%2E%2E")
    is_forbidden = name in MISSING or quoted.startswith((".", "/", "~"))
    return f"%{ord(quoted[0]):02X}{quoted[1:]}" if quoted and is_forbidden else quoted or "_"


def free_id(text: str, taken: set[int]) -> str:
    """The id, changed if the standard reads it as missing, and made longer if another row has it.

    `taken` are hashes of the ids given so far, which are small and still tell ids apart.
    """
    id_ = id_of(text)
    while hash(id_) in taken:
        id_ += "_"
    taken.add(hash(id_))
    return id_


def id_of(text: str) -> str:
    """The id, changed if the standard would read it as missing."""
    return f"_{text}" if text in MISSING else text
