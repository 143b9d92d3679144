"""The tables. `category`, `image`, `detection` and `oracle` keep the ancestor's columns."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from pipeline.records import Role

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(sa.TypeDecorator[dt.datetime]):
    """An aware moment, kept as UTC without a zone so that SQLite and PostgreSQL compare alike."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        return None if value is None else value.astimezone(dt.UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        return None if value is None else value.replace(tzinfo=dt.UTC)


BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts up INTEGER keys only

category = sa.Table(
    "category",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),  # 0 is `empty`
    sa.Column("name", sa.Text, nullable=False, unique=True),  # lower case
    sa.Column("abbr", sa.String(2)),
)

deployment = sa.Table(
    "deployment",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("location", sa.Text, nullable=False),
    sa.Column("latitude", sa.Float),  # degrees, WGS 84
    sa.Column("longitude", sa.Float),
    sa.Column("timezone", sa.Text),  # of the camera's clock: an IANA name, or an offset such as +02:00
    sa.Column("started_at", sa.DateTime),  # the camera's clock
    sa.Column("ended_at", sa.DateTime),
)

image = sa.Table(
    "image",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("file_name", sa.Text, nullable=False),
    sa.Column("width", sa.Integer),
    sa.Column("height", sa.Integer),
    sa.Column("location", sa.Text),
    sa.Column("datetime", sa.DateTime),
    sa.Column("frame_num", sa.Integer),
    sa.Column("seq_id", sa.Text, index=True),
    sa.Column("seq_num_frames", sa.Integer),
    sa.Column("deployment_id", sa.Text, sa.ForeignKey("deployment.id")),
    sa.Column("role", sa.Text, nullable=False, server_default=Role.TARGET.value),
    sa.Column("source_id", sa.Text),  # what the source calls it
    sa.Column("path", sa.Text, nullable=False, index=True),
    sa.Column("content_hash", sa.Text),
    sa.Column("size", sa.BigInteger),
    sa.Column("mtime", sa.Double),
    sa.Column("failure", sa.Text, index=True),
    sa.Column("failure_detail", sa.Text),
    sa.Column("imported_at", UtcDateTime, nullable=False),  # last: tells which content of a file is newer
    sa.Index("ix_image_location_datetime", "location", "datetime"),
)

# That a detector has looked at a photograph, also where it found nothing.
scan = sa.Table(
    "scan",
    metadata,
    sa.Column("image_id", sa.Text, sa.ForeignKey("image.id"), primary_key=True),
    sa.Column("detector", sa.Text, primary_key=True),
    sa.Column("scanned_at", UtcDateTime, nullable=False),
)

detection = sa.Table(
    "detection",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("image_id", sa.Text, sa.ForeignKey("image.id"), nullable=False, index=True),
    sa.Column("kind", sa.Integer, nullable=False),  # records.DetectionKind
    sa.Column("category_id", sa.Integer, sa.ForeignKey("category.id")),  # the current label
    sa.Column("category_confidence", sa.Float),
    sa.Column("bbox_confidence", sa.Float),
    sa.Column("bbox_X1", sa.Float, nullable=False),  # fractions of the frame
    sa.Column("bbox_Y1", sa.Float, nullable=False),
    sa.Column("bbox_X2", sa.Float, nullable=False),
    sa.Column("bbox_Y2", sa.Float, nullable=False),
    sa.Column("detector", sa.Text, nullable=False),
    sa.Column("detector_category", sa.Text, nullable=False),
    sa.Column("crop_path", sa.Text),
    sa.Column("frame_path", sa.Text),
    sa.Index("ix_detection_kind_category_id", "kind", "category_id"),  # labels are counted at each webhook
)

# What sources say of whole photographs or sequences; oracle has what follows for detections.
image_label = sa.Table(
    "image_label",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # a digest of the image, source, level, category and key
    sa.Column("image_id", sa.Text, sa.ForeignKey("image.id"), nullable=False, index=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),  # records.Level
    sa.Column("category_id", sa.Integer, sa.ForeignKey("category.id")),  # NULL: who looked cannot tell
    sa.Column("key", sa.Text, nullable=False),  # the source's id, where it tells a species several times
    sa.Column("weak", sa.Boolean, nullable=False),
    sa.Column("confidence", sa.Float),
    sa.Column("annotator", sa.Text),
    sa.Column("annotated_at", UtcDateTime),
    sa.Column("count", sa.Integer),
    sa.Column("details", sa.JSON(none_as_null=True)),  # what else the source says: text by column
)

embedder = sa.Table(
    "embedder",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("dimension", sa.Integer, nullable=False),
    sa.Column("manifest", sa.JSON, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

embedding = sa.Table(
    "embedding",
    metadata,
    sa.Column("seq", BigId, primary_key=True, autoincrement=True),  # rises in the order of commits
    sa.Column("detection_id", sa.Text, sa.ForeignKey("detection.id"), nullable=False),
    sa.Column("embedder", sa.Text, sa.ForeignKey("embedder.id"), nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),  # float16, little-endian
    sa.UniqueConstraint("detection_id", "embedder"),
    sa.Index("ix_embedding_embedder_seq", "embedder", "seq"),
)

project = sa.Table(
    "project",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),  # Label Studio's
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("embedder", sa.Text, nullable=False),
    sa.Column("current_model", sa.Text),
    sa.Column("watermark", UtcDateTime),
    sa.Column("synced_at", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

task = sa.Table(
    "task",
    metadata,
    sa.Column("project_id", sa.Integer, sa.ForeignKey("project.id"), primary_key=True),
    sa.Column("detection_id", sa.Text, sa.ForeignKey("detection.id"), primary_key=True),
    sa.Column("task_id", sa.BigInteger, nullable=False),
    sa.Column("published_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("project_id", "task_id"),
)

# Appended to, never changed: the current label is derived (pipeline.oracle).
oracle = sa.Table(
    "oracle",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("detection_id", sa.Text, sa.ForeignKey("detection.id"), nullable=False, index=True),
    sa.Column("label", sa.Integer, sa.ForeignKey("category.id")),
    sa.Column("project_id", sa.Integer),
    sa.Column("annotation_uid", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),  # 1, 2, ... within its annotation
    sa.Column("annotation_id", sa.BigInteger, index=True),
    sa.Column("task_id", sa.BigInteger, index=True),
    sa.Column("verdict", sa.Text, nullable=False),  # records.Verdict
    sa.Column("annotator", sa.Text),
    sa.Column("annotated_at", UtcDateTime, nullable=False),
    sa.Column("recorded_at", UtcDateTime, nullable=False),
    sa.Column("lead_time", sa.Float),
    sa.Column("ground_truth", sa.Boolean, nullable=False),
    sa.Column("model_version", sa.Text),
    sa.Column("shown", sa.Integer, sa.ForeignKey("category.id")),  # what the prediction on screen said
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("confidence", sa.Float),  # of a machine's label that came with a source
    sa.Column("result", sa.JSON),
    sa.UniqueConstraint("annotation_uid", "revision"),
)

model = sa.Table(
    "model",
    metadata,
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Integer, sa.ForeignKey("project.id"), nullable=False, index=True),
    sa.Column("embedder", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("labels", sa.Integer, nullable=False),
    sa.Column("path", sa.Text),
    sa.Column("parent", sa.Text),
    sa.Column("metrics", sa.JSON, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("project_id", "digest"),  # the same inputs make no second version
)

# Only what is put into a queue; what a version says of the rest follows from its weights.
prediction = sa.Table(
    "prediction",
    metadata,
    sa.Column("model_version", sa.Text, sa.ForeignKey("model.version"), primary_key=True),
    sa.Column("detection_id", sa.Text, sa.ForeignKey("detection.id"), primary_key=True),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("category_id", sa.Integer, sa.ForeignKey("category.id")),
    sa.Column("probability", sa.Float),
    sa.Column("novel", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("pushed_at", UtcDateTime),
)

# Crops drawn at random, to judge every version by: no version ever learns from them.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("project_id", sa.Integer, sa.ForeignKey("project.id"), primary_key=True),
    sa.Column("detection_id", sa.Text, sa.ForeignKey("detection.id"), primary_key=True),
    sa.Column("asked", sa.Boolean, nullable=False),  # by `wildloop audit`: comes before the queue
    sa.Column("drawn_at", UtcDateTime, nullable=False),
)

# From which probability on a version's answers stand without a person.
acceptance = sa.Table(
    "acceptance",
    metadata,
    sa.Column("model_version", sa.Text, sa.ForeignKey("model.version"), primary_key=True),
    sa.Column("precision", sa.Float, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("thresholds", sa.JSON, nullable=False),  # by category id; those left to people are absent
    sa.Column("audited", sa.Integer, nullable=False),  # audit labels that the promise rests on
    sa.Column("pool_size", sa.Integer, nullable=False),  # embeddings there were: later crops are not promised
    sa.Column("accepted_at", UtcDateTime, nullable=False),
)

# Further tasks of labelled detections, whose labels look wrong.
review = sa.Table(
    "review",
    metadata,
    sa.Column("project_id", sa.Integer, sa.ForeignKey("project.id"), primary_key=True),
    sa.Column("task_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("detection_id", sa.Text, sa.ForeignKey("detection.id"), nullable=False, index=True),
    sa.Column("label", sa.Integer, sa.ForeignKey("category.id"), nullable=False),  # that looks wrong
    sa.Column("quality", sa.Float, nullable=False),  # 0 to 1: how likely the label is right
    sa.Column("requested_at", UtcDateTime, nullable=False),
)

run = sa.Table(
    "run",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("project_id", sa.Integer, sa.ForeignKey("project.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # records.RunState
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("requested_at", UtcDateTime, nullable=False),
    sa.Column("started_at", UtcDateTime),
    sa.Column("heartbeat_at", UtcDateTime),
    sa.Column("finished_at", UtcDateTime),
    sa.Column("worker", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("result", sa.JSON),
)
# At most one of a kind waits and at most one runs: later triggers find the waiting one.
for _state in ("queued", "running"):
    sa.Index(
        f"uq_run_{_state}",
        run.c.project_id,
        run.c.kind,
        unique=True,
        sqlite_where=run.c.state == _state,
        postgresql_where=run.c.state == _state,
    )
