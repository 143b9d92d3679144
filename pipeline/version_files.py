"""Model versions on disk: weights as npz without pickle, everything else in a JSON manifest.

`models/<project>/<version>/` of the data folder holds `head.npz` and `manifest.json`. A version is written
atomically and never changed afterwards. The manifest contains the digest of the weights and its own.
"""

from __future__ import annotations

import hashlib
import json
import platform
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import __version__
from pipeline.errors import ModelError
from pipeline.files.atomic import atomic_folder
from pipeline.heads import LinearHead
from pipeline.identity import json_digest
from pipeline.records import ModelRecord

FORMAT = 1
WEIGHTS = "head.npz"
MANIFEST = "manifest.json"


def save(
    data_dir: Path,
    record: ModelRecord,
    head: LinearHead,
    *,
    names: Mapping[int, str],
    learned: Sequence[str] = (),
) -> None:
    """Write the head and the fields of `record` to `record.path` below the data folder.

    `names` are those of the head's classes, `learned` the detections whose labels it was fitted on. A
    complete version that is already there, left by a process that was killed before it activated it, is
    kept. Raises FileError if the disk refuses.
    """
    folder = _folder(data_dir, record)
    if folder.exists() and _is_whole(data_dir, record):
        return
    with atomic_folder(folder, fsync=True, replace=True) as draft:
        _write_weights(draft / WEIGHTS, head, learned)
        _write_manifest(draft / MANIFEST, _manifest(record, head, names, _sha256(draft / WEIGHTS)))


def load_head(data_dir: Path, record: ModelRecord) -> LinearHead:
    """The version's head, after checking that the files are those that were saved.

    Raises ModelError if the version has no head, or its files are missing, damaged or of another version.
    """
    with _saved(data_dir, record) as (manifest, arrays):
        return LinearHead(
            embedder=str(manifest["embedder"]),
            classes=[int(category) for category in arrays["classes"]],
            weights=arrays["weights"],
            bias=arrays["bias"],
            temperature=float(arrays["temperature"]),
            penalty=manifest["penalty"],
            shrinkage=manifest.get("shrinkage"),
            logistic_weight=manifest.get("share"),
        )


def learned(data_dir: Path, record: ModelRecord) -> list[str]:
    """The detections that the version was fitted on; none if an early release saved it without them.

    Raises ModelError as `load_head`.
    """
    with _saved(data_dir, record) as (_, arrays):
        return [str(detection) for detection in arrays["learned"]] if "learned" in arrays else []


@contextmanager
def _saved(data_dir: Path, record: ModelRecord) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
    """The version's manifest and open arrays. Raises ModelError if they are not those that were saved."""
    folder = _folder(data_dir, record)
    manifest = _read_manifest(folder / MANIFEST)
    if manifest.get("version") != record.version or manifest.get("digest") != record.digest:
        raise ModelError(
            f"{folder} holds version {manifest.get('version')}, not {record.version}", remedy=_REMEDY
        )
    weights = folder / WEIGHTS
    try:
        if _sha256(weights) != manifest["weights_sha256"]:
            raise ModelError(f"{weights} was changed after it was saved", remedy=_REMEDY)
        with np.load(weights, allow_pickle=False) as arrays:
            yield manifest, arrays
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as exc:
        raise ModelError(f"{weights} cannot be read: {exc}", remedy=_REMEDY) from exc


_REMEDY = "restore the folder from a backup, activate another version, or train again"


def _folder(data_dir: Path, record: ModelRecord) -> Path:
    if record.path is None:
        raise ModelError(
            f"{record.version} has no head, it only orders the queue", remedy="train once there are labels"
        )
    return data_dir / record.path


def _is_whole(data_dir: Path, record: ModelRecord) -> bool:
    try:
        load_head(data_dir, record)
    except ModelError:
        return False
    return True


def _manifest(
    record: ModelRecord, head: LinearHead, names: Mapping[int, str], weights_sha256: str
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": record.version,
        "project": record.project_id,
        "embedder": head.embedder,
        "dimension": head.dimension,
        "classes": [
            {"id": category, "name": names.get(category, str(category))} for category in head.classes
        ],
        "temperature": head.temperature,
        "penalty": head.penalty,
        "shrinkage": head.shrinkage,
        "share": head.logistic_weight,
        "labels": record.labels,
        "digest": record.digest,
        "parent": record.parent,
        "metrics": dict(record.metrics),
        "libraries": {"wildloop": __version__, "python": platform.python_version(), "numpy": np.__version__},
        "created": None if record.created_at is None else record.created_at.isoformat(),
        "weights_sha256": weights_sha256,
    }


def _write_weights(path: Path, head: LinearHead, learned: Sequence[str]) -> None:
    np.savez(
        path,
        weights=head.weights.astype(np.float32),
        bias=head.bias.astype(np.float32),
        classes=np.array(head.classes, np.int64),
        temperature=np.float64(head.temperature),
        learned=np.array(learned, np.str_),
    )


def _write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(manifest | {"manifest_digest": json_digest(manifest)}, file, indent=2, ensure_ascii=False)
        file.write("\n")


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        stated = manifest.pop("manifest_digest")
    except FileNotFoundError as exc:
        raise ModelError(f"{path} is missing", remedy=_REMEDY) from exc
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as exc:
        raise ModelError(f"{path} is not a valid manifest: {exc}", remedy=_REMEDY) from exc
    if stated != json_digest(manifest):
        raise ModelError(f"{path} was changed after it was saved", remedy=_REMEDY)
    if manifest.get("format") != FORMAT:
        raise ModelError(f"{path} has the unknown format {manifest.get('format')}", remedy="update Wildloop")
    return manifest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
