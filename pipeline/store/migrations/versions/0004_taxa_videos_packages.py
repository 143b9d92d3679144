"""Merged categories, taxa, descriptors of packages, videos, and what sources say beyond our columns."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _added() -> list[tuple[str, sa.Column[Any]]]:
    return [
        ("deployment", sa.Column("source", sa.Text())),
        ("deployment", sa.Column("details", sa.JSON())),
        ("image", sa.Column("defect", sa.Text())),
        ("image", sa.Column("video", sa.Text())),
        ("image", sa.Column("video_frame", sa.Integer())),
        ("image", sa.Column("video_frame_rate", sa.Float())),
        ("image", sa.Column("source", sa.Text())),
        ("image", sa.Column("details", sa.JSON())),
        ("project", sa.Column("choices", sa.JSON())),
        ("project", sa.Column("served_from", sa.Text())),
        ("project", sa.Column("forgotten_at", sa.DateTime())),
    ]


def upgrade() -> None:
    op.execute(  # SQLite takes the constraint with the column, and not after it
        "ALTER TABLE category ADD COLUMN merged_into INTEGER"
        " CONSTRAINT fk_category_merged_into REFERENCES category (id)"
    )
    op.create_index("ix_category_merged_into", "category", ["merged_into"])
    op.create_table(
        "taxon",
        sa.Column("category_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scientific_name", sa.Text()),
        sa.Column("rank", sa.Text()),
        sa.Column("parent", sa.Text()),
        sa.Column("taxon_id", sa.Text()),
        sa.Column("vernacular_names", sa.JSON()),
        sa.Column("lineage", sa.JSON()),
        sa.Column("details", sa.JSON()),
        sa.Column("source", sa.Text()),
        sa.ForeignKeyConstraint(["category_id"], ["category.id"], name="fk_taxon_category_id"),
        sa.PrimaryKeyConstraint("category_id", name="pk_taxon"),
    )
    op.create_table(
        "package",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("descriptor", sa.JSON(), nullable=False),
        sa.Column("imported_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_package"),
    )
    for table, column in _added():
        op.add_column(table, column)
    op.create_index("ix_image_video", "image", ["video"])


def downgrade() -> None:
    op.drop_index("ix_image_video", "image")
    for table, column in _added():
        op.drop_column(table, column.name)
    op.drop_table("package")
    op.drop_table("taxon")
    op.drop_index("ix_category_merged_into", "category")
    with op.batch_alter_table("category") as batch:
        batch.drop_constraint("fk_category_merged_into", type_="foreignkey")
        batch.drop_column("merged_into")
