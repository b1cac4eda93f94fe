"""The chain of trust: what roles, gates and lists need besides the first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a database of the first release up to the chain of trust."""
    # how guessable ticket numbers are, and where gates keep the list key
    op.add_column(
        "performances", sa.Column("guessability", sa.JSON(none_as_null=True), nullable=True)
    )
    op.add_column(
        "performances",
        sa.Column("key_storage", sa.Text(), server_default="sealed", nullable=False),
    )
    op.add_column(
        "performances",
        sa.Column("key_storage_reason", sa.Text(), server_default="", nullable=False),
    )
    op.add_column("imports", sa.Column("guessability", sa.JSON(none_as_null=True), nullable=True))
