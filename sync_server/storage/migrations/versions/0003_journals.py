"""Journals: what forks, carriers, hints and site servers need besides the tables of before."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a database of the chain of trust up to journals that many hands carry."""
    # hints: what confirms one
    op.add_column(
        "facts", sa.Column("refers_to", sa.BigInteger(), server_default="0", nullable=False)
    )
