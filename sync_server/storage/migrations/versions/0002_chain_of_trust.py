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
    _add_device_identity()


def _add_device_identity() -> None:
    """Codes for several gates, gates that wait, and what revoked gates hand in."""
    op.add_column("gates", sa.Column("pending_ms", sa.BigInteger(), nullable=True))
    op.add_column(
        "gates",
        sa.Column("certificate_serial", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.create_table(
        "group_codes",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("direction IN ('entry', 'exit')", name=op.f("ck_group_codes_direction")),
        sa.ForeignKeyConstraint(
            ["checkpoint_id"], ["checkpoints.id"], name=op.f("fk_group_codes_checkpoint_id")
        ),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_group_codes")),
    )
    op.create_index(
        op.f("ix_group_codes_checkpoint_id"), "group_codes", ["checkpoint_id"], unique=False
    )
    op.create_table(
        "quarantined_records",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("gate_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("previous_chain", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.Column("forked", sa.Boolean(), nullable=False),
        sa.Column("wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("boot_ms", sa.BigInteger(), nullable=False),
        sa.Column("boot_id", sa.LargeBinary(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["gate_id"], ["gates.id"], name=op.f("fk_quarantined_records_gate_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantined_records")),
        sa.UniqueConstraint(
            "journal_id",
            "sequence",
            "chain",
            name=op.f("uq_quarantined_records_journal_id_sequence_chain"),
        ),
    )
    op.create_index(
        op.f("ix_quarantined_records_gate_id"), "quarantined_records", ["gate_id"], unique=False
    )
