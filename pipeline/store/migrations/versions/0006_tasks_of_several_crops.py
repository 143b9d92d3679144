"""Tasks that ask about several crops, how labels were made, and the options of projects."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# When the newest annotation of a task was made that counts.
_ANSWERED = """
    SELECT MAX(o.annotated_at) FROM oracle o
    WHERE o.project_id = t.project_id AND o.task_id = t.task_id AND o.verdict <> 'deleted'
    AND o.recorded_at >= (SELECT p.created_at FROM project p WHERE p.id = t.project_id)
    AND NOT EXISTS (
        SELECT 1 FROM oracle later
        WHERE later.annotation_uid = o.annotation_uid AND later.revision > o.revision
    )
"""


def upgrade() -> None:
    op.add_column("project", sa.Column("options", sa.JSON()))
    op.add_column("project", sa.Column("replaced_by", sa.Integer()))
    op.execute(  # SQLite takes the constraint with the column, and not after it
        "ALTER TABLE detection ADD COLUMN replaced_by TEXT"
        " CONSTRAINT fk_detection_replaced_by REFERENCES detection (id)"
    )
    op.create_table(
        "sign_off",
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("detection_id", sa.Text(), nullable=False),
        sa.Column("drawn_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_sign_off_image_id"),
        sa.ForeignKeyConstraint(["detection_id"], ["detection.id"], name="fk_sign_off_detection_id"),
        sa.PrimaryKeyConstraint("image_id", name="pk_sign_off"),
    )
    _change_oracle()
    _change_tasks()


def _change_oracle() -> None:
    with op.batch_alter_table("oracle") as table:
        table.add_column(sa.Column("way", sa.Text()))
        table.add_column(sa.Column("kept", sa.Boolean()))
        table.add_column(sa.Column("attributes", sa.JSON()))
        table.drop_constraint("uq_oracle_annotation_uid_revision", type_="unique")
        table.create_unique_constraint(
            "uq_oracle_annotation_uid_detection_id_revision", ["annotation_uid", "detection_id", "revision"]
        )
    for name, column, condition in (
        ("struck", "detection_id", "verdict = 'struck'"),
        ("attributes", "project_id", "attributes IS NOT NULL"),
    ):
        where = sa.text(condition)
        op.create_index(f"ix_oracle_{name}", "oracle", [column], sqlite_where=where, postgresql_where=where)
    op.execute("UPDATE oracle SET way = 'single' WHERE project_id IS NOT NULL")
    op.execute(
        "UPDATE oracle SET kept = (label IS NOT NULL AND label = shown)"
        " WHERE shown IS NOT NULL AND verdict IN ('label', 'unsure')"
    )


def _change_tasks() -> None:
    op.execute("CREATE TABLE former_task AS SELECT * FROM task")
    op.drop_table("task")
    op.create_table(
        "task",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text()),
        sa.Column("score", sa.Float()),
        sa.Column("details", sa.JSON()),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("answered_at", sa.DateTime()),
        sa.Column("parked_at", sa.DateTime()),
        sa.Column("deleted_at", sa.DateTime()),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_task_project_id"),
        sa.PrimaryKeyConstraint("project_id", "task_id", name="pk_task"),
    )
    op.create_table(
        "task_crop",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("detection_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["detection_id"], ["detection.id"], name="fk_task_crop_detection_id"),
        sa.ForeignKeyConstraint(
            ["project_id", "task_id"],
            ["task.project_id", "task.task_id"],
            name="fk_task_crop_project_id_task_id",
        ),
        sa.PrimaryKeyConstraint("project_id", "task_id", "detection_id", name="pk_task_crop"),
    )
    _copy("former_task", "queue", "published_at", "NULL")
    details = "'{\"label\": ' || t.label || ', \"quality\": ' || t.quality || '}'"
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    _copy("review", "review", "requested_at", f"CAST({details} AS JSON)" if is_postgresql else details)
    op.drop_table("former_task")
    op.drop_table("review")
    op.create_index("ix_task_project_id_answered_at", "task", ["project_id", "answered_at"])
    op.create_index("ix_task_crop_detection_id_project_id", "task_crop", ["detection_id", "project_id"])


def _copy(former: str, purpose: str, created_at: str, details: str) -> None:
    op.execute(
        "INSERT INTO task (project_id, task_id, kind, purpose, created_at, answered_at, details)"
        f" SELECT t.project_id, t.task_id, 'single', '{purpose}', t.{created_at}, ({_ANSWERED}), {details}"
        f" FROM {former} t"
    )
    op.execute(
        "INSERT INTO task_crop (project_id, task_id, detection_id, position)"
        f" SELECT project_id, task_id, detection_id, 0 FROM {former}"
    )
