"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "category",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("abbr", sa.String(length=2), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_category")),
        sa.UniqueConstraint("name", name=op.f("uq_category_name")),
    )
    op.create_table(
        "deployment",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployment")),
    )
    op.create_table(
        "embedder",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_embedder")),
    )
    op.create_table(
        "project",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("embedder", sa.Text(), nullable=False),
        sa.Column("current_model", sa.Text(), nullable=True),
        sa.Column("watermark", sa.DateTime(), nullable=True),
        sa.Column("synced_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
    )
    op.create_table(
        "image",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("datetime", sa.DateTime(), nullable=True),
        sa.Column("frame_num", sa.Integer(), nullable=True),
        sa.Column("seq_id", sa.Text(), nullable=True),
        sa.Column("seq_num_frames", sa.Integer(), nullable=True),
        sa.Column("deployment_id", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("mtime", sa.Double(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("failure_detail", sa.Text(), nullable=True),
        sa.Column("imported_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployment.id"], name=op.f("fk_image_deployment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image")),
    )
    op.create_index(op.f("ix_image_failure"), "image", ["failure"], unique=False)
    op.create_index("ix_image_location_datetime", "image", ["location", "datetime"], unique=False)
    op.create_index(op.f("ix_image_path"), "image", ["path"], unique=False)
    op.create_index(op.f("ix_image_seq_id"), "image", ["seq_id"], unique=False)
    op.create_table(
        "model",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("embedder", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_model_project_id")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_model")),
        sa.UniqueConstraint("project_id", "digest", name=op.f("uq_model_project_id_digest")),
    )
    op.create_index(op.f("ix_model_project_id"), "model", ["project_id"], unique=False)
    op.create_table(
        "run",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(), nullable=True),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_run_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )
    op.create_index(
        "uq_run_queued",
        "run",
        ["project_id", "kind"],
        unique=True,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "uq_run_running",
        "run",
        ["project_id", "kind"],
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "detection",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=True),
        sa.Column("category_confidence", sa.Float(), nullable=True),
        sa.Column("bbox_confidence", sa.Float(), nullable=True),
        sa.Column("bbox_X1", sa.Float(), nullable=False),
        sa.Column("bbox_Y1", sa.Float(), nullable=False),
        sa.Column("bbox_X2", sa.Float(), nullable=False),
        sa.Column("bbox_Y2", sa.Float(), nullable=False),
        sa.Column("detector", sa.Text(), nullable=False),
        sa.Column("detector_category", sa.Text(), nullable=False),
        sa.Column("crop_path", sa.Text(), nullable=True),
        sa.Column("frame_path", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["category_id"], ["category.id"], name=op.f("fk_detection_category_id")),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name=op.f("fk_detection_image_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_detection")),
    )
    op.create_index(op.f("ix_detection_image_id"), "detection", ["image_id"], unique=False)
    op.create_index("ix_detection_kind_category_id", "detection", ["kind", "category_id"], unique=False)
    op.create_table(
        "scan",
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("detector", sa.Text(), nullable=False),
        sa.Column("scanned_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name=op.f("fk_scan_image_id")),
        sa.PrimaryKeyConstraint("image_id", "detector", name=op.f("pk_scan")),
    )
    op.create_table(
        "embedding",
        sa.Column("seq", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("detection_id", sa.Text(), nullable=False),
        sa.Column("embedder", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["detection_id"], ["detection.id"], name=op.f("fk_embedding_detection_id")),
        sa.ForeignKeyConstraint(["embedder"], ["embedder.id"], name=op.f("fk_embedding_embedder")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_embedding")),
        sa.UniqueConstraint("detection_id", "embedder", name=op.f("uq_embedding_detection_id_embedder")),
    )
    op.create_index("ix_embedding_embedder_seq", "embedding", ["embedder", "seq"], unique=False)
    op.create_table(
        "oracle",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("detection_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Integer(), nullable=True),
        sa.Column("project_id", sa.Integer(), nullable=True),
        sa.Column("annotation_uid", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("annotation_id", sa.BigInteger(), nullable=True),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=True),
        sa.Column("annotated_at", sa.DateTime(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.Column("lead_time", sa.Float(), nullable=True),
        sa.Column("ground_truth", sa.Boolean(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=True),
        sa.Column("shown", sa.Integer(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["detection_id"], ["detection.id"], name=op.f("fk_oracle_detection_id")),
        sa.ForeignKeyConstraint(["label"], ["category.id"], name=op.f("fk_oracle_label")),
        sa.ForeignKeyConstraint(["shown"], ["category.id"], name=op.f("fk_oracle_shown")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oracle")),
        sa.UniqueConstraint("annotation_uid", "revision", name=op.f("uq_oracle_annotation_uid_revision")),
    )
    op.create_index(op.f("ix_oracle_annotation_id"), "oracle", ["annotation_id"], unique=False)
    op.create_index(op.f("ix_oracle_detection_id"), "oracle", ["detection_id"], unique=False)
    op.create_index(op.f("ix_oracle_task_id"), "oracle", ["task_id"], unique=False)
    op.create_table(
        "prediction",
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("detection_id", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=True),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("pushed_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["category_id"], ["category.id"], name=op.f("fk_prediction_category_id")),
        sa.ForeignKeyConstraint(["detection_id"], ["detection.id"], name=op.f("fk_prediction_detection_id")),
        sa.ForeignKeyConstraint(
            ["model_version"], ["model.version"], name=op.f("fk_prediction_model_version")
        ),
        sa.PrimaryKeyConstraint("model_version", "detection_id", name=op.f("pk_prediction")),
    )
    op.create_table(
        "task",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("detection_id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["detection_id"], ["detection.id"], name=op.f("fk_task_detection_id")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_task_project_id")),
        sa.PrimaryKeyConstraint("project_id", "detection_id", name=op.f("pk_task")),
        sa.UniqueConstraint("project_id", "task_id", name=op.f("uq_task_project_id_task_id")),
    )


def downgrade() -> None:
    op.drop_table("task")
    op.drop_table("prediction")
    op.drop_index(op.f("ix_oracle_task_id"), table_name="oracle")
    op.drop_index(op.f("ix_oracle_detection_id"), table_name="oracle")
    op.drop_index(op.f("ix_oracle_annotation_id"), table_name="oracle")
    op.drop_table("oracle")
    op.drop_index("ix_embedding_embedder_seq", table_name="embedding")
    op.drop_table("embedding")
    op.drop_table("scan")
    op.drop_index("ix_detection_kind_category_id", table_name="detection")
    op.drop_index(op.f("ix_detection_image_id"), table_name="detection")
    op.drop_table("detection")
    op.drop_index(
        "uq_run_running",
        table_name="run",
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.drop_index(
        "uq_run_queued",
        table_name="run",
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.drop_table("run")
    op.drop_index(op.f("ix_model_project_id"), table_name="model")
    op.drop_table("model")
    op.drop_index(op.f("ix_image_seq_id"), table_name="image")
    op.drop_index(op.f("ix_image_path"), table_name="image")
    op.drop_index("ix_image_location_datetime", table_name="image")
    op.drop_index(op.f("ix_image_failure"), table_name="image")
    op.drop_table("image")
    op.drop_table("project")
    op.drop_table("embedder")
    op.drop_table("deployment")
    op.drop_table("category")
