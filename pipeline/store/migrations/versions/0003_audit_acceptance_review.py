"""The tables of the audit sample, acceptance thresholds and reviews."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("prediction", sa.Column("novel", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "audit",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("detection_id", sa.Text(), nullable=False),
        sa.Column("asked", sa.Boolean(), nullable=False),
        sa.Column("drawn_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_audit_project_id"),
        sa.ForeignKeyConstraint(["detection_id"], ["detection.id"], name="fk_audit_detection_id"),
        sa.PrimaryKeyConstraint("project_id", "detection_id", name="pk_audit"),
    )
    op.create_table(
        "acceptance",
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("precision", sa.Float(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("thresholds", sa.JSON(), nullable=False),
        sa.Column("audited", sa.Integer(), nullable=False),
        sa.Column("pool_size", sa.Integer(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["model_version"], ["model.version"], name="fk_acceptance_model_version"),
        sa.PrimaryKeyConstraint("model_version", name="pk_acceptance"),
    )
    op.create_table(
        "review",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("detection_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Integer(), nullable=False),
        sa.Column("quality", sa.Float(), nullable=False),
        sa.Column("requested_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_review_project_id"),
        sa.ForeignKeyConstraint(["detection_id"], ["detection.id"], name="fk_review_detection_id"),
        sa.ForeignKeyConstraint(["label"], ["category.id"], name="fk_review_label"),
        sa.PrimaryKeyConstraint("project_id", "task_id", name="pk_review"),
    )
    op.create_index("ix_review_detection_id", "review", ["detection_id"])


def downgrade() -> None:
    op.drop_table("review")
    op.drop_table("acceptance")
    op.drop_table("audit")
    op.drop_column("prediction", "novel")
