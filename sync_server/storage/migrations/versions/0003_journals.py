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
    # hints: what confirms one
    op.add_column(
        "facts", sa.Column("refers_to", sa.BigInteger(), server_default="0", nullable=False)
    )
    _site_servers()
    _clocks()
    _name_the_numbers()


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
