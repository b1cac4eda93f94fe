"""The chain of trust: what roles, gates and lists need besides the first tables."""

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a database of the first release up to the chain of trust."""
