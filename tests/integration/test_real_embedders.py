"""Real pretrained networks on real crops of 22 species."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.embedders import Embedder, load
from pipeline.embedders.descriptor import DescriptorEmbedder


def agreement(embedder: Embedder, shared_data: Path) -> float:
    """The share of 491 real crops whose most similar crop of another track is of the same species."""
    with (shared_data / "fish_crops" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    species, track = (np.array([row[column] for row in rows]) for column in ("label", "seq_id"))
    images = [Image.open(shared_data / "fish_crops" / row["file_name"]) for row in rows]
    vectors = embedder.embed(images)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = np.where(track[:, np.newaxis] == track, -1, vectors @ vectors.T)
    return float((species[alike.argmax(axis=1)] == species).mean())


def test_real_networks_and_the_descriptor_find_species_across_tracks(
    shared_data: Path, tmp_path: Path
) -> None:
    models = shared_data / "models"
    mobilenet = f"onnx:{models / 'mobilenet_v2_imagenet.onnx'}?mean=127.5&std=127.5&output=embed"
    squeezenet = (
        f"onnx:{models / 'squeezenet_v1.1_imagenet_embed512.onnx'}"
        "?size=227&channels=bgr&mean=103.939,116.779,123.68&std=1,1,1"
    )
    by_mobilenet = agreement(load(mobilenet, data_dir=tmp_path), shared_data)
    by_squeezenet = agreement(load(squeezenet, data_dir=tmp_path), shared_data)
    by_descriptor = agreement(DescriptorEmbedder(), shared_data)
    assert by_descriptor > 0.5  # the most frequent of 22 species is 8 % of the crops
    assert by_squeezenet > by_descriptor + 0.05
    assert by_mobilenet > by_descriptor + 0.1
