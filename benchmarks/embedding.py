"""How fast crops become vectors, compared with the ceilings of the machine and with a simple loop.

    python benchmarks/embedding.py [--photographs 32] [--boxes 12] [--seconds 4] [--repeats 3]

Photographs are rendered (2048 x 1536) and imported with their crops; networks have random weights. Each
repeat measures all ways in turn, so that noise of the machine affects all; results are means.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sqlalchemy as sa
import torch
from joblib import cpu_count
from numpy.typing import NDArray
from PIL import Image

from importers.sources.megadetector import import_results
from pipeline.crops import square
from pipeline.demo.scenes.scene_set import render
from pipeline.embedders.checkpoint import CheckpointEmbedder, save
from pipeline.embedders.hardware import torch_device
from pipeline.embedders.network import backbone, behead
from pipeline.embedders.preprocessing import Preprocessing
from pipeline.records import Box
from pipeline.settings import Settings
from pipeline.steps.embedding.crop_vectors import BATCH, crop_vectors, prepared_crop
from pipeline.steps.embedding.embed import embed
from pipeline.store import embeddings
from pipeline.store.database import Database
from pipeline.workspace import Workspace, open_workspace

NETWORKS = ("resnet18", "resnet50", "mobilenet_v3_large")
SIZE = (2048, 1536)
SIDE = 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LARGEST = (0.1, 0.4)  # the longer side of a box, as a share of the photograph's width
WAYS = {
    "read": "decode and prepare alone",
    "forward": "forward passes alone",
    "step": "`wildloop embed`: both, and the store",
    "plain": "simple loop, from the photograph",
    "plain crops": "simple loop, from stored crops",
}


@dataclass(frozen=True, kw_only=True)
class Detection:
    """The input of all ways."""

    id: str
    crop: Path
    photograph: Path
    box: Box


class ReadsOnly:
    """An embedder whose forward passes take no time."""

    def __init__(self, embedder: CheckpointEmbedder) -> None:
        self.id, self.manifest = embedder.id, embedder.manifest
        self.dimension, self.side = embedder.dimension, embedder.side
        self.prepared, self.embed = embedder.prepared, embedder.embed

    def embed_prepared(self, rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.zeros((len(rows), self.dimension), np.float32)


class Plain:
    """A simple loop: Pillow without draft mode, one image at a time, float32."""

    def __init__(self, name: str, weights: Mapping[str, torch.Tensor]) -> None:
        self._device = torch_device()
        self._model = backbone(name, SIDE)
        self._model.load_state_dict(weights)
        behead(self._model)
        self._model.eval().to(self._device)
        self._mean, self._std = (torch.tensor(value).view(3, 1, 1) for value in (MEAN, STD))

    def photograph(self, found: Detection) -> NDArray[np.float32]:
        image = Image.open(found.photograph).convert("RGB")
        area = square(found.box, image.width, image.height)
        return self._vector(image.crop((area.left, area.top, area.left + area.side, area.top + area.side)))

    def stored_crop(self, found: Detection) -> NDArray[np.float32]:
        return self._vector(Image.open(found.crop).convert("RGB"))

    def _vector(self, image: Image.Image) -> NDArray[np.float32]:
        return self.vector(np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)))

    def vector(self, square: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = square.astype(np.float32) / 255
        normal = (torch.from_numpy(pixels).permute(2, 0, 1) - self._mean) / self._std
        with torch.no_grad():
            vector: NDArray[np.float32] = (
                self._model(normal.unsqueeze(0).to(self._device)).flatten().cpu().numpy()
            )
        return vector


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photographs", type=int, default=32)
    parser.add_argument("--boxes", type=int, default=12, help="per photograph")
    parser.add_argument("--seconds", type=float, default=4, help="for which each way is measured, about")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--network", choices=NETWORKS, action="append")
    given = parser.parse_args()
    device = torch.cuda.get_device_name() if torch_device().type == "cuda" else "no GPU"
    print(f"{cpu_count()} cores, {device}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as folder:
        detections = imported(Path(folder), given.photographs, given.boxes)
        size = sum(detection.crop.stat().st_size for detection in detections) / len(detections) / 1000
        print(f"{len(detections)} crops of {given.photographs} photographs, {size:.0f} kB each\n")
        for name in given.network or NETWORKS:
            rates = measured(name, Path(folder), detections, given.seconds, given.repeats)
            print_rates(name, rates)


def imported(folder: Path, photographs: int, boxes: int) -> list[Detection]:
    """Rendered photographs with random boxes, in a store with their crops."""
    survey = render(folder / "survey", photographs=photographs, size=SIZE)
    results = json.loads(survey.results.read_text())
    rng = np.random.default_rng(0)
    for image in results["images"]:
        image["detections"] = [random_box(rng) for _ in range(boxes)]
    survey.results.write_text(json.dumps(results))
    settings = Settings(data_dir=folder, database_url=f"sqlite:///{folder / 'store.db'}")
    workspace = open_workspace(settings)
    import_results(workspace, survey.results, survey.photos)
    with workspace.database.read() as conn:
        found = conn.execute(
            sa.text(
                "SELECT detection.id, crop_path, path, "
                '"bbox_X1" AS x1, "bbox_Y1" AS y1, "bbox_X2" AS x2, "bbox_Y2" AS y2 '
                "FROM detection JOIN image ON image.id = image_id WHERE crop_path IS NOT NULL"
            )
        ).all()
    workspace.database.dispose()
    return [
        Detection(
            id=row.id,
            crop=folder / row.crop_path,
            photograph=Path(row.path),
            box=Box(x1=row.x1, y1=row.y1, x2=row.x2, y2=row.y2),
        )
        for row in found
    ]


def random_box(rng: np.random.Generator) -> dict[str, object]:
    """A detection of a MegaDetector file, with a box that is wider than high."""
    width = float(np.exp(rng.uniform(*np.log(LARGEST))))
    height = width * float(rng.uniform(0.5, 1.0))
    corner = [float(rng.uniform(0, 1 - width)), float(rng.uniform(0, 1 - height))]
    return {"category": "1", "conf": 0.9, "bbox": [*corner, width, height]}


def measured(
    name: str, folder: Path, detections: Sequence[Detection], seconds: float, repeats: int
) -> dict[str, list[float]]:
    """Crops a second of each way, in each repeat."""
    preprocessing = Preprocessing(resize=SIDE, crop=SIDE, mean=MEAN, std=STD)
    model = random_network(name, preprocessing, detections[:16])
    save(folder / name, name=name, model=model, preprocessing=preprocessing)
    embedder = CheckpointEmbedder(folder / name)
    plain = Plain(name, model.state_dict())
    prepared = [prepared_crop(embedder, detection.crop) for detection in detections]
    agree(embedder, plain, prepared)
    pace = rate(lambda: embedder.embed_prepared(prepared[:BATCH]), BATCH)
    timed = detections[: max(BATCH, int(pace * seconds))]
    few = timed[: max(8, int(len(timed) / 4))]  # the simple loop is slower, and has no batches to fill
    files = [(detection.id, detection.crop) for detection in timed]
    rows = prepared[: len(timed)]
    batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "read": (lambda: list(crop_vectors(ReadsOnly(embedder), files)), len(timed)),
        "forward": (lambda: [embedder.embed_prepared(batch) for batch in batches], len(timed)),
        "plain": (lambda: [plain.photograph(detection) for detection in few], len(few)),
        "plain crops": (lambda: [plain.stored_crop(detection) for detection in few], len(few)),
    }
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(repeats):
        for way, (work, count) in ways.items():
            rates[way].append(rate(work, count))
        with store_lacking(folder, embedder, {detection.id for detection in timed}, detections) as workspace:
            rates["step"].append(rate(lambda: embed(workspace, embedder), len(timed)))
    return rates


def random_network(
    name: str, preprocessing: Preprocessing, detections: Sequence[Detection]
) -> torch.nn.Module:
    """Random weights with batch statistics of real crops.

    Without these, activations vanish from layer to layer, and such small numbers are slow to compute with.
    """
    torch.manual_seed(0)
    model = backbone(name, SIDE)
    pixels = preprocessing.pixels([Image.open(detection.crop) for detection in detections])
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # use the mean of all batches
    with torch.no_grad():
        normal = (pixels / 255 - MEAN) / STD
        model.train()(torch.from_numpy(normal).float().permute(0, 3, 1, 2))
    return model


def rate(work: Callable[[], object], count: int) -> float:
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


@contextmanager
def store_lacking(
    folder: Path, embedder: CheckpointEmbedder, ids: set[str], detections: Sequence[Detection]
) -> Iterator[Workspace]:
    """A copy of the store in which all detections except `ids` have a vector."""
    path = folder / "copy.db"
    shutil.copyfile(folder / "store.db", path)
    settings = Settings(data_dir=folder, database_url=f"sqlite:///{path}")
    database = Database(settings.database_url)
    rest = [detection.id for detection in detections if detection.id not in ids]
    with database.write() as conn:
        embeddings.register(conn, embedder)
        embeddings.append(conn, embedder.id, rest, np.zeros((len(rest), embedder.dimension)))
    yield Workspace(settings=settings, database=database)
    database.dispose()
    for left in folder.glob("copy.db*"):
        left.unlink()


def agree(embedder: CheckpointEmbedder, plain: Plain, prepared: Sequence[NDArray[np.uint8]]) -> None:
    """Check that both compute the same: equal pixels give nearly equal vectors."""
    vectors = embedder.embed_prepared(prepared[:BATCH])[:8]
    expected = np.stack([plain.vector(crop) for crop in prepared[:8]])
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(expected, axis=1)
    cosines = (vectors * expected).sum(axis=1) / norms
    assert cosines.min() > 0.98, cosines


def print_rates(name: str, rates: Mapping[str, Sequence[float]]) -> None:
    read, forward, step, plain, crops = (np.array(rates[way]) for way in WAYS)
    print(name)
    for way, what in WAYS.items():
        mean, spread = np.mean(rates[way]), np.std(rates[way])
        print(f"  {what:38} {mean:8.1f} crops/s  (sd {spread:.1f})")
    lower = np.minimum(read, forward)
    print(f"  of the slower ceiling        {np.mean(step / lower):6.2f}    (wanted: 0.8)")
    if torch_device().type == "cpu":
        shared = 1 / (1 / read + 1 / forward)
        print(f"  of the best for shared cores    {np.mean(step / shared):3.2f}")
    print(f"  times the simple loop        {np.mean(step / plain):6.2f}    (wanted: 3)")
    print(f"  times the loop on crops      {np.mean(step / crops):6.2f}\n", flush=True)


if __name__ == "__main__":
    main()
