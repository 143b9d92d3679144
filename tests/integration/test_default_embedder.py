"""The embedder of a project for which nobody names one: the one that embedded the crops, or it asks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cli.embed import embed as command
from pipeline.embedders import load
from pipeline.errors import EmbedderError
from pipeline.records import WHOLE_FRAME, DetectionRecord, ImageRecord
from pipeline.steps.labelling.embedder import default_embedder
from pipeline.store import detections, embeddings, images
from pipeline.store.database import Database
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.stored import Embedder

pytestmark = pytest.mark.one_database


def embedded_by(database: Database, embedder: embeddings.EmbedderDescription) -> None:
    """A crop with a vector of the embedder."""
    with database.write() as conn:
        embeddings.register(conn, embedder)
        images.add(conn, [ImageRecord(id="i", file_name="i.jpg", path="i.jpg")])
        crop = DetectionRecord(
            id="d", image_id="i", box=WHOLE_FRAME, bbox_confidence=1.0, detector="t", crop_path="crops/d.jpg"
        )
        detections.add(conn, [crop])
        embeddings.append(conn, embedder.id, ["d"], np.ones((1, embedder.dimension)))


def test_before_any_vector_it_is_that_of_the_settings(database: Database, tmp_path: Path) -> None:
    workspace = make_workspace(database, tmp_path, embedder="descriptor")
    assert default_embedder(workspace).id == load("descriptor", data_dir=tmp_path).id


def test_the_only_embedder_that_has_vectors_is_taken(database: Database, tmp_path: Path) -> None:
    descriptor = load("descriptor", data_dir=tmp_path)
    embedded_by(database, descriptor)
    assert default_embedder(make_workspace(database, tmp_path)).id == descriptor.id
    assert default_embedder(make_workspace(database, tmp_path, embedder="descriptor")).id == descriptor.id


def test_of_several_that_have_vectors_the_settings_choose_or_it_asks(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    descriptor = load("descriptor", data_dir=tmp_path)
    embedded_by(database, descriptor)
    embedded_by(database, Embedder())
    assert default_embedder(make_workspace(database, tmp_path, embedder="descriptor")).id == descriptor.id
    with pytest.raises(EmbedderError) as caught:
        default_embedder(make_workspace(database, tmp_path))
    assert "crops are embedded by descriptor" in caught.value.what
    assert "made-up (1)" in caught.value.what
    assert caught.value.remedy == "choose with --embedder descriptor or --embedder made-up"
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", database.engine.url.render_as_string(hide_password=False))
    monkeypatch.delenv("WILDLOOP_EMBEDDER", raising=False)
    assert "choose with --embedder" in str(CliRunner().invoke(command).exception)


def test_settings_that_name_another_than_the_one_with_vectors_are_not_overruled_in_silence(
    database: Database, tmp_path: Path
) -> None:
    embedded_by(database, Embedder())
    with pytest.raises(EmbedderError) as caught:
        default_embedder(make_workspace(database, tmp_path, embedder="descriptor"))
    assert "crops are embedded by made-up (1), and WILDLOOP_EMBEDDER names descriptor" in caught.value.what
    assert caught.value.remedy == "choose with --embedder made-up or --embedder descriptor"
