"""Journals: what forks, carriers, hints and site servers need besides the tables of before."""

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a database of the chain of trust up to journals that many hands carry."""
