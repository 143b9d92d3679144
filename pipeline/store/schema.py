"""The tables. Ids of photographs, detections and embedders are digests, see `pipeline.identity`.

`category`, `image`, `detection` and `oracle` keep the column names of Wildloop's predecessor.
"""

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
    """A time with time zone, stored as UTC without one so that SQLite and PostgreSQL compare equally."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        return None if value is None else value.astimezone(dt.UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        return None if value is None else value.replace(tzinfo=dt.UTC)


BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite autoincrements only INTEGER keys

# The categories of all projects.
category = sa.Table(
    "category",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),  # 0 is `empty`
    sa.Column("name", sa.Text, nullable=False, unique=True),  # lower case
    sa.Column("abbr", sa.String(2)),
    # The category that this one is another name of; never itself merged. See store.categories.merge.
    sa.Column("merged_into", sa.Integer, sa.ForeignKey("category.id"), index=True),
)

# What is known of a category as a taxon. See records.Taxon.
taxon = sa.Table(
    "taxon",
    metadata,
    sa.Column("category_id", sa.Integer, sa.ForeignKey("category.id"), primary_key=True, autoincrement=False),
    sa.Column("scientific_name", sa.Text),
    sa.Column("rank", sa.Text),
    sa.Column("parent", sa.Text),
    sa.Column("taxon_id", sa.Text),
    sa.Column("vernacular_names", sa.JSON(none_as_null=True)),
    sa.Column("lineage", sa.JSON(none_as_null=True)),
    sa.Column("details", sa.JSON(none_as_null=True)),
    sa.Column("source", sa.Text),
)

# What a source says of itself as a whole, such as the descriptor of a Camtrap DP package.
package = sa.Table(
    "package",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),  # provenance, such as camtrap-dp:meetnetten
    sa.Column("descriptor", sa.JSON, nullable=False),
    sa.Column("imported_at", UtcDateTime, nullable=False),
)

# One camera at one place for one period.
deployment = sa.Table(
    "deployment",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("location", sa.Text, nullable=False),
    sa.Column("latitude", sa.Float),  # degrees, WGS 84
    sa.Column("longitude", sa.Float),
    sa.Column("timezone", sa.Text),  # of the camera's clock: an IANA name, or an offset such as +02:00
    sa.Column("started_at", sa.DateTime),  # by the camera's clock
    sa.Column("ended_at", sa.DateTime),
    sa.Column("source", sa.Text),  # provenance; NULL: a table of deployments
    sa.Column("details", sa.JSON(none_as_null=True)),  # further columns of the source
)

# Photographs, including those that could not be used (`failure`). See records.ImageRecord.
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
    sa.Column("source_id", sa.Text),  # the id in its source
    sa.Column("path", sa.Text, nullable=False, index=True),
    sa.Column("content_hash", sa.Text),
    sa.Column("size", sa.BigInteger),
    sa.Column("mtime", sa.Double),
    sa.Column("failure", sa.Text, index=True),
    sa.Column("failure_detail", sa.Text),
    sa.Column("defect", sa.Text),
    sa.Column("video", sa.Text, index=True),
    sa.Column("video_frame", sa.Integer),
    sa.Column("video_frame_rate", sa.Float),
    sa.Column("source", sa.Text),
    sa.Column("details", sa.JSON(none_as_null=True)),
    sa.Column("imported_at", UtcDateTime, nullable=False),  # orders the rows of a changed file
    sa.Index("ix_image_location_datetime", "location", "datetime"),
)

# One row for each scan of a photograph by a detector, also if it found nothing.
scan = sa.Table(
    "scan",
    metadata,
    sa.Column("image_id", sa.Text, sa.ForeignKey("image.id"), primary_key=True),
    sa.Column("detector", sa.Text, primary_key=True),  # name of the scan: detector and threshold
    sa.Column("scanned_at", UtcDateTime, nullable=False),
)

# One box of one detector on one photograph, with its current label. See records.DetectionRecord.
detection = sa.Table(
    "detection",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("image_id", sa.Text, sa.ForeignKey("image.id"), nullable=False, index=True),
    sa.Column("kind", sa.Integer, nullable=False),  # records.DetectionKind
    sa.Column("category_id", sa.Integer, sa.ForeignKey("category.id")),  # the current label
    sa.Column("category_confidence", sa.Float),  # of a weak label
    sa.Column("bbox_confidence", sa.Float),
    sa.Column("bbox_X1", sa.Float, nullable=False),  # fractions of the frame
    sa.Column("bbox_Y1", sa.Float, nullable=False),
    sa.Column("bbox_X2", sa.Float, nullable=False),
    sa.Column("bbox_Y2", sa.Float, nullable=False),
    sa.Column("detector", sa.Text, nullable=False),
    sa.Column("detector_category", sa.Text, nullable=False),
    sa.Column("crop_path", sa.Text),
    sa.Column("frame_path", sa.Text),
    # The box that a person drew instead; the detection itself if who drew it took it back.
    sa.Column("replaced_by", sa.Text, sa.ForeignKey("detection.id")),
    sa.Index("ix_detection_kind_category_id", "kind", "category_id"),  # every webhook counts labels
)

# Photographs in which detectors saw nothing, drawn at random for people to sign off. See store.empties.
sign_off = sa.Table(
    "sign_off",
    metadata,
    sa.Column("image_id", sa.Text, sa.ForeignKey("image.id"), primary_key=True),
    sa.Column("detection_id", sa.Text, sa.ForeignKey("detection.id"), nullable=False),  # the whole frame
    sa.Column("drawn_at", UtcDateTime, nullable=False),
)

# Labels from sources, of whole photographs or sequences. The labels of detections are in `oracle`.
image_label = sa.Table(
    "image_label",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # a digest of the image, source, level, category and key
    sa.Column("image_id", sa.Text, sa.ForeignKey("image.id"), nullable=False, index=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),  # records.Level
    sa.Column("category_id", sa.Integer, sa.ForeignKey("category.id")),  # NULL: unsure or unclassified
    sa.Column("key", sa.Text, nullable=False),  # the source's id of the observation
    sa.Column("weak", sa.Boolean, nullable=False),
    sa.Column("confidence", sa.Float),
    sa.Column("annotator", sa.Text),
    sa.Column("annotated_at", UtcDateTime),
    sa.Column("count", sa.Integer),
    sa.Column("details", sa.JSON(none_as_null=True)),  # further columns of the source
)

# Registered embedders.
embedder = sa.Table(
    "embedder",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("dimension", sa.Integer, nullable=False),
    sa.Column("manifest", sa.JSON, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

# One vector per detection and embedder. Rows are added, never changed.
embedding = sa.Table(
    "embedding",
    metadata,
    sa.Column("seq", BigId, primary_key=True, autoincrement=True),  # increases in the order of commits
    sa.Column("detection_id", sa.Text, sa.ForeignKey("detection.id"), nullable=False),
    sa.Column("embedder", sa.Text, sa.ForeignKey("embedder.id"), nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),  # float16, little-endian
    sa.UniqueConstraint("detection_id", "embedder"),
    sa.Index("ix_embedding_embedder_seq", "embedder", "seq"),
)

# The Label Studio projects that Wildloop feeds.
project = sa.Table(
    "project",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),  # in Label Studio
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("embedder", sa.Text, nullable=False),
    sa.Column("current_model", sa.Text),
    sa.Column("watermark", UtcDateTime),  # newest `updated_at` of a task that sync has read
    sa.Column("synced_at", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("choices", sa.JSON(none_as_null=True)),  # that its label config offers, as last seen
    sa.Column("served_from", sa.Text),  # what the addresses of its pictures begin with
    sa.Column("forgotten_at", UtcDateTime),  # when it was deleted in Label Studio
    sa.Column(
        "options", sa.JSON(none_as_null=True)
    ),  # of its screens; NULL: it has the screen of before 0006
    sa.Column("replaced_by", sa.Integer),  # the project that goes on with the labels of this one
)

# What Label Studio shows, or has shown: each task asks about one or several detections. See
# records.TaskRecord.
task = sa.Table(
    "task",
    metadata,
    sa.Column("project_id", sa.Integer, sa.ForeignKey("project.id"), primary_key=True),
    sa.Column("task_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),  # records.TaskKind
    sa.Column("purpose", sa.Text, nullable=False),  # records.Purpose
    sa.Column("model_version", sa.Text),  # that it shows
    sa.Column("score", sa.Float),  # its place in Label Studio's queue, lowest first
    sa.Column("details", sa.JSON(none_as_null=True)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("answered_at", UtcDateTime),  # NULL: no annotation counts
    sa.Column("parked_at", UtcDateTime),  # when it was taken out of the label stream
    sa.Column("deleted_at", UtcDateTime),  # when it was deleted in Label Studio
    sa.Index("ix_task_project_id_answered_at", "project_id", "answered_at"),
)

# The detections that each task asks about.
task_crop = sa.Table(
    "task_crop",
    metadata,
    sa.Column("project_id", sa.Integer, primary_key=True),
    sa.Column("task_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("detection_id", sa.Text, sa.ForeignKey("detection.id"), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),  # from 0
    sa.ForeignKeyConstraint(["project_id", "task_id"], ["task.project_id", "task.task_id"]),
    sa.Index("ix_task_crop_detection_id_project_id", "detection_id", "project_id"),
)

# Every state of every annotation. Rows are added, never changed; `pipeline.current_label` reads them.
oracle = sa.Table(
    "oracle",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("detection_id", sa.Text, sa.ForeignKey("detection.id"), nullable=False, index=True),
    sa.Column("label", sa.Integer, sa.ForeignKey("category.id")),
    sa.Column("project_id", sa.Integer),  # NULL for labels from a source
    sa.Column("annotation_uid", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),  # 1, 2, ... within the annotation
    sa.Column("annotation_id", sa.BigInteger, index=True),
    sa.Column("task_id", sa.BigInteger, index=True),
    sa.Column("verdict", sa.Text, nullable=False),  # records.Verdict
    sa.Column("annotator", sa.Text),
    sa.Column("annotated_at", UtcDateTime, nullable=False),
    sa.Column("recorded_at", UtcDateTime, nullable=False),
    sa.Column("lead_time", sa.Float),
    sa.Column("ground_truth", sa.Boolean, nullable=False),
    sa.Column("model_version", sa.Text),
    sa.Column("shown", sa.Integer, sa.ForeignKey("category.id")),  # category of the prediction
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("confidence", sa.Float),  # of a weak label
    sa.Column("result", sa.JSON),
    sa.Column("way", sa.Text),  # records.Way; NULL for labels from a source
    sa.Column("kept", sa.Boolean),  # whether the suggestion was kept; NULL: there was none
    sa.Column("attributes", sa.JSON(none_as_null=True)),  # what else the annotator said: count, sex, ...
    sa.UniqueConstraint("annotation_uid", "detection_id", "revision"),
)
# Few rows are asked for by these, among all that were ever written.
for _few, _column, _where in (
    ("struck", oracle.c.detection_id, oracle.c.verdict == "struck"),
    ("attributes", oracle.c.project_id, oracle.c.attributes.is_not(None)),
):
    sa.Index(f"ix_oracle_{_few}", _column, sqlite_where=_where, postgresql_where=_where)

# Model versions. Rows are added, never changed. See records.ModelRecord.
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
    sa.UniqueConstraint("project_id", "digest"),  # the same inputs give no second version
)

# The queue of each version. Predictions for crops outside it are computed on demand.
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

# Randomly drawn crops that judge every version; no version learns from them.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("project_id", sa.Integer, sa.ForeignKey("project.id"), primary_key=True),
    sa.Column("detection_id", sa.Text, sa.ForeignKey("detection.id"), primary_key=True),
    sa.Column("asked", sa.Boolean, nullable=False),  # drawn by `wildloop audit`: shown before the queue
    sa.Column("drawn_at", UtcDateTime, nullable=False),
)

# The thresholds above which predictions of a version are accepted. See store.acceptances.
acceptance = sa.Table(
    "acceptance",
    metadata,
    sa.Column("model_version", sa.Text, sa.ForeignKey("model.version"), primary_key=True),
    sa.Column("precision", sa.Float, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("thresholds", sa.JSON, nullable=False),  # by category id; others are not accepted
    sa.Column("audited", sa.Integer, nullable=False),  # audit labels behind the guarantee
    sa.Column("pool_size", sa.Integer, nullable=False),  # embeddings that the guarantee covers
    sa.Column("accepted_at", UtcDateTime, nullable=False),
)

# Background work. See store.runs.
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
# Per project and kind at most one run is queued and at most one is running.
for _state in ("queued", "running"):
    sa.Index(
        f"uq_run_{_state}",
        run.c.project_id,
        run.c.kind,
        unique=True,
        sqlite_where=run.c.state == _state,
        postgresql_where=run.c.state == _state,
    )

# Processes of `wildloop worker`, until they stop. See store.workers.
worker = sa.Table(
    "worker",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
)
