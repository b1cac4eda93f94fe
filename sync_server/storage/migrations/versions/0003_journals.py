"""Journals: what forks, carriers, hints and site servers need besides the tables of before."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring a database of the chain of trust up to journals that many hands carry."""
    # gates that claim a ticket before they open
    op.add_column("gates", sa.Column("strict", sa.Boolean(), server_default="0", nullable=False))
    # hints: what confirms one
    op.add_column(
        "facts", sa.Column("refers_to", sa.BigInteger(), server_default="0", nullable=False)
    )
    _site_servers()
    _clocks()
    _name_the_numbers()
    _lines_of_history()


def _site_servers() -> None:
    """Make what site servers need, here and on themselves."""
    op.create_table(
        "sites",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("venue_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("pins", sa.JSON(), nullable=False),
        sa.Column("addresses", sa.JSON(), nullable=False),
        sa.Column("joined_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_status", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["venue_id"], ["venues.id"], name=op.f("fk_sites_venue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sites")),
        sa.UniqueConstraint("public_key", name=op.f("uq_sites_public_key")),
    )
    op.create_index(op.f("ix_sites_venue_id"), "sites", ["venue_id"])
    op.create_table(
        "site_codes",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_site_codes_site_id")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_site_codes")),
    )
    op.create_index(op.f("ix_site_codes_site_id"), "site_codes", ["site_id"])
    op.create_table(
        "site_documents",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("fetched_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_site_documents")),
    )
    op.create_table(
        "site_batches",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("gate_id", sa.Text(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("taken_ms", sa.BigInteger(), nullable=False),
        sa.Column("carried_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_batches")),
    )
    op.create_index(op.f("ix_site_batches_journal_id"), "site_batches", ["journal_id"])
    op.create_index(op.f("ix_site_batches_carried_ms"), "site_batches", ["carried_ms"])
    op.create_table(
        "site_cursors",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("numbering", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("stream", name=op.f("pk_site_cursors")),
    )


def _clocks() -> None:
    """Make what sets the time of facts right backwards."""
    op.add_column("clock_origins", sa.Column("ahead_ms", sa.BigInteger(), nullable=True))
    op.add_column(
        "facts",
        sa.Column("trusted_ms", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.create_table(
        "clock_bounds",
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.LargeBinary(), nullable=False),
        sa.Column("latest_ms", sa.BigInteger(), nullable=False),
        sa.Column("ahead_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["journal_id"], ["journals.id"], name=op.f("fk_clock_bounds_journal_id")
        ),
        sa.PrimaryKeyConstraint("journal_id", "boot_id", name=op.f("pk_clock_bounds")),
    )
    op.create_table(
        "feed_repeats",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("variant", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["journal_id", "sequence", "variant"],
            ["facts.journal_id", "facts.sequence", "facts.variant"],
            name=op.f("fk_feed_repeats_journal_id_sequence_variant"),
        ),
        sa.PrimaryKeyConstraint("stream", "number", name=op.f("pk_feed_repeats")),
    )


def _name_the_numbers() -> None:
    """Give the feeds' numbers a name, which no other server has."""
    numbering = op.create_table(
        "feed_numbering",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_feed_numbering")),
    )
    op.bulk_insert(numbering, [{"one": 1, "name": secrets.token_hex(16)}])


def _lines_of_history() -> None:
    row_key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "side_lines",
        sa.Column("id", row_key, nullable=False),
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("after_sequence", sa.BigInteger(), nullable=False),
        sa.Column("after_chain", sa.LargeBinary(), nullable=False),
        sa.Column("head_sequence", sa.BigInteger(), nullable=False),
        sa.Column("head_chain", sa.LargeBinary(), nullable=False),
        sa.Column("found_ms", sa.BigInteger(), nullable=False),
        sa.Column("settled_ms", sa.BigInteger(), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["journal_id"], ["journals.id"], name=op.f("fk_side_lines_journal_id")
        ),
        sa.ForeignKeyConstraint(
            ["settled_by"], ["users.id"], name=op.f("fk_side_lines_settled_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_side_lines")),
    )
    op.create_index(op.f("ix_side_lines_journal_id"), "side_lines", ["journal_id"])
    op.create_table(
        "side_records",
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("previous_chain", sa.LargeBinary(), nullable=False),
        sa.Column("blob_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("line_id", row_key, nullable=False),
        sa.ForeignKeyConstraint(
            ["journal_id"], ["journals.id"], name=op.f("fk_side_records_journal_id")
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["side_lines.id"], name=op.f("fk_side_records_line_id")
        ),
        sa.PrimaryKeyConstraint("journal_id", "sequence", "chain", name=op.f("pk_side_records")),
    )
    op.create_index(op.f("ix_side_records_line_id"), "side_records", ["line_id"])
    op.create_table(
        "journal_seals",
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["journal_id"], ["journals.id"], name=op.f("fk_journal_seals_journal_id")
        ),
        sa.PrimaryKeyConstraint("journal_id", "sequence", "chain", name=op.f("pk_journal_seals")),
    )
    op.create_table(
        "former_keys",
        sa.Column("gate_id", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name=op.f("fk_former_keys_gate_id")),
        sa.PrimaryKeyConstraint("gate_id", "public_key", name=op.f("pk_former_keys")),
    )
    _refusals_of_side_lines()


def _refusals_of_side_lines() -> None:
    """Let a record that is refused stand beside another of its number, as facts do."""
    op.create_table(
        "refused_scans",
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("variant", sa.Integer(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("gate_id", sa.Text(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("performance_id", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["journal_id"], ["journals.id"], name=op.f("fk_refused_scans_journal_id")
        ),
        sa.PrimaryKeyConstraint("journal_id", "sequence", "variant", name=op.f("pk_refused_scans")),
    )
    op.execute(
        "INSERT INTO refused_scans (journal_id, sequence, variant, at_us, gate_id, checkpoint_id,"
        " performance_id, answer) SELECT journal_id, sequence, 0, at_us, gate_id, checkpoint_id,"
        " performance_id, answer FROM refusals"
    )
    op.drop_table("refusals")
    for column in ("at_us", "checkpoint_id", "gate_id", "performance_id"):
        op.create_index(op.f(f"ix_refused_scans_{column}"), "refused_scans", [column])
