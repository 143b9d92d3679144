"""Roles of photographs; ids and labels of their sources."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("image", sa.Column("role", sa.Text(), nullable=False, server_default="target"))
    op.add_column("image", sa.Column("source_id", sa.Text()))
    op.add_column("oracle", sa.Column("confidence", sa.Float()))
    op.create_table(
        "image_label",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("category_id", sa.Integer()),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("weak", sa.Boolean(), nullable=False),
        sa.Column("confidence", sa.Float()),
        sa.Column("annotator", sa.Text()),
        sa.Column("annotated_at", sa.DateTime()),
        sa.Column("count", sa.Integer()),
        sa.Column("details", sa.JSON()),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_image_label_image_id"),
        sa.ForeignKeyConstraint(["category_id"], ["category.id"], name="fk_image_label_category_id"),
        sa.PrimaryKeyConstraint("id", name="pk_image_label"),
    )
    op.create_index("ix_image_label_image_id", "image_label", ["image_id"])


def downgrade() -> None:
    op.drop_table("image_label")
    op.drop_column("oracle", "confidence")
    op.drop_column("image", "source_id")
    op.drop_column("image", "role")
