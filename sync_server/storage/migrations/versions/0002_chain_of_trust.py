"""The chain of trust: what roles, gates and lists need besides the first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a database of the first release up to the chain of trust."""
    # roots say which keys sign for which role
    op.drop_table("signing_keys")
    op.create_table(
        "roots",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("installed_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_roots")),
    )
    op.create_table(
        "status_epochs",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_status_epochs")),
    )
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
    # the pieces of published lists, and which tickets have changed since
    op.add_column(
        "performances",
        sa.Column("changes_logged", sa.Boolean(), server_default="0", nullable=False),
    )
    op.add_column(
        "performances", sa.Column("gate_fields", sa.JSON(none_as_null=True), nullable=True)
    )
    op.create_table(
        "ticket_attributes",
        sa.Column("identifier", sa.LargeBinary(), nullable=False),
        sa.Column("performance_id", sa.Text(), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["identifier"], ["tickets.identifier"], name=op.f("fk_ticket_attributes_identifier")
        ),
        sa.ForeignKeyConstraint(
            ["performance_id"],
            ["performances.id"],
            name=op.f("fk_ticket_attributes_performance_id"),
        ),
        sa.PrimaryKeyConstraint("identifier", name=op.f("pk_ticket_attributes")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_ticket_attributes_performance_id"),
        "ticket_attributes",
        ["performance_id"],
        unique=False,
    )
    op.create_table(
        "list_files",
        sa.Column("performance_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("base_version", sa.BigInteger(), nullable=True),
        sa.Column("fields", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('snapshot', 'segment', 'attributes')", name=op.f("ck_list_files_kind")
        ),
        sa.ForeignKeyConstraint(
            ["performance_id"],
            ["performances.id"],
            name=op.f("fk_list_files_performance_id"),
        ),
        sa.PrimaryKeyConstraint("performance_id", "version", "kind", name=op.f("pk_list_files")),
    )
    op.create_index(op.f("ix_list_files_sha256"), "list_files", ["sha256"], unique=False)
    op.create_table(
        "ticket_changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("performance_id", sa.Text(), nullable=False),
        sa.Column("identifier", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["performance_id"],
            ["performances.id"],
            name=op.f("fk_ticket_changes_performance_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_changes")),
    )
    op.create_index(
        op.f("ix_ticket_changes_performance_id"),
        "ticket_changes",
        ["performance_id"],
        unique=False,
    )
    # what a gate does while it has no trusted time
    op.add_column(
        "gates", sa.Column("clock_policy", sa.Text(), server_default="admit", nullable=False)
    )
    _add_device_identity()
    _add_proving()
    _add_commands()


def _add_commands() -> None:
    """Operators' signed commands, whose counters never go back."""
    op.create_table(
        "commands",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("gates", sa.JSON(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("not_after_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "counter", name=op.f("pk_commands")),
    )
    op.create_index(op.f("ix_commands_not_after_ms"), "commands", ["not_after_ms"], unique=False)


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


def _add_proving() -> None:
    """Tickets that prove themselves: whose signatures count, rotating codes, blocked numbers."""
    op.add_column(
        "list_versions",
        sa.Column("stops", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.create_table(
        "issuers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("performance_id", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("classes", sa.JSON(), nullable=False),
        sa.Column("subevents", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "format IN ('portillon_1', 'pretix_sig1')", name=op.f("ck_issuers_format")
        ),
        sa.ForeignKeyConstraint(
            ["performance_id"], ["performances.id"], name=op.f("fk_issuers_performance_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuers")),
    )
    op.create_index(op.f("ix_issuers_performance_id"), "issuers", ["performance_id"])
    op.create_table(
        "rotations",
        sa.Column("performance_id", sa.Text(), nullable=False),
        sa.Column("pattern", sa.Text(), nullable=False),
        sa.Column("period_ms", sa.BigInteger(), nullable=False),
        sa.Column("lengths", sa.JSON(), nullable=False),
        sa.Column("allows_static", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["performance_id"], ["performances.id"], name=op.f("fk_rotations_performance_id")
        ),
        sa.PrimaryKeyConstraint("performance_id", name=op.f("pk_rotations")),
    )
    op.create_table(
        "number_blocks",
        sa.Column("identifier", sa.LargeBinary(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("performance_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["performance_id"], ["performances.id"], name=op.f("fk_number_blocks_performance_id")
        ),
        sa.PrimaryKeyConstraint("identifier", "ordinal", name=op.f("pk_number_blocks")),
    )
    op.create_index(op.f("ix_number_blocks_performance_id"), "number_blocks", ["performance_id"])
