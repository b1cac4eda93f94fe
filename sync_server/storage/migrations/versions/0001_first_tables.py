"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table of the first release."""
    op.create_table(
        "anomalies",
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("variant", sa.Integer(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("performance_id", sa.Text(), nullable=False),
        sa.Column("identifier", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", "sequence", "variant", name=op.f("pk_anomalies")),
    )
    op.create_index(
        op.f("ix_anomalies_checkpoint_id_performance_id_identifier"),
        "anomalies",
        ["checkpoint_id", "performance_id", "identifier"],
        unique=False,
    )
    op.create_table(
        "feed_counters",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream", name=op.f("pk_feed_counters")),
    )
    op.create_table(
        "organizations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["organizations.id"], name=op.f("fk_organizations_parent_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
    )
    op.create_index(
        op.f("ix_organizations_parent_id"), "organizations", ["parent_id"], unique=False
    )
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("retired_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("role IN ('list')", name=op.f("ck_signing_keys_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
        sa.UniqueConstraint("public_key", name=op.f("uq_signing_keys_public_key")),
    )
    op.create_table(
        "ticket_folds",
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("performance_id", sa.Text(), nullable=False),
        sa.Column("identifier", sa.LargeBinary(), nullable=False),
        sa.Column("occupancy", sa.BigInteger(), nullable=False),
        sa.Column("is_used", sa.Boolean(), nullable=False),
        sa.Column("is_listed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint(
            "checkpoint_id", "performance_id", "identifier", name=op.f("pk_ticket_folds")
        ),
    )
    op.create_index(
        op.f("ix_ticket_folds_performance_id_identifier"),
        "ticket_folds",
        ["performance_id", "identifier"],
        unique=False,
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), server_default="fr", nullable=False),
        sa.Column("disabled", sa.Boolean(), server_default="0", nullable=False),
        sa.CheckConstraint("role IN ('master', 'admin', 'operator')", name=op.f("ck_users_role")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_users_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("login", name=op.f("uq_users_login")),
    )
    op.create_index(op.f("ix_users_organization_id"), "users", ["organization_id"], unique=False)
    op.create_table(
        "venues",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_venues_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_venues")),
    )
    op.create_index(op.f("ix_venues_organization_id"), "venues", ["organization_id"], unique=False)
    op.create_table(
        "audit",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_audit_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at_ms"), "audit", ["at_ms"], unique=False)
    op.create_table(
        "checkpoints",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("venue_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("allowed_categories", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("capacity", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["venue_id"], ["venues.id"], name=op.f("fk_checkpoints_venue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkpoints")),
    )
    op.create_index(op.f("ix_checkpoints_venue_id"), "checkpoints", ["venue_id"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("venue_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_events_organization_id")
        ),
        sa.ForeignKeyConstraint(["venue_id"], ["venues.id"], name=op.f("fk_events_venue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_organization_id"), "events", ["organization_id"], unique=False)
    op.create_index(op.f("ix_events_venue_id"), "events", ["venue_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("end_address", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("(ended_ms IS NULL) = (ended_by IS NULL)", name=op.f("ck_sessions_end")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_ended_ms"), "sessions", ["ended_ms"], unique=False)
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)
    op.create_table(
        "gates",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("venue_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("agreement_key", sa.LargeBinary(), nullable=True),
        sa.Column("enrolled_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_status", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("exit_policy", sa.Text(), server_default="listed", nullable=False),
        sa.Column("assignment_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("assignment_sha256", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("direction IN ('entry', 'exit')", name=op.f("ck_gates_direction")),
        sa.CheckConstraint(
            "exit_policy IN ('listed', 'any', 'none')", name=op.f("ck_gates_exit_policy")
        ),
        sa.ForeignKeyConstraint(
            ["checkpoint_id"], ["checkpoints.id"], name=op.f("fk_gates_checkpoint_id")
        ),
        sa.ForeignKeyConstraint(["venue_id"], ["venues.id"], name=op.f("fk_gates_venue_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gates")),
        sa.UniqueConstraint("public_key", name=op.f("uq_gates_public_key")),
    )
    op.create_index(op.f("ix_gates_checkpoint_id"), "gates", ["checkpoint_id"], unique=False)
    op.create_index(op.f("ix_gates_venue_id"), "gates", ["venue_id"], unique=False)
    op.create_table(
        "performances",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("starts_ms", sa.BigInteger(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("day_starts_at", sa.Text(), server_default="00:00", nullable=False),
        sa.Column("excluded_categories", sa.JSON(), nullable=False),
        sa.Column("admits_from_us", sa.BigInteger(), nullable=True),
        sa.Column("admits_until_us", sa.BigInteger(), nullable=True),
        sa.Column("canceled", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("list_key", sa.LargeBinary(), nullable=False),
        sa.Column("published_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("listed", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("length(list_key) = 32", name=op.f("ck_performances_list_key")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_performances_event_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performances")),
        sa.UniqueConstraint("list_key", name=op.f("uq_performances_list_key")),
    )
    op.create_index(op.f("ix_performances_event_id"), "performances", ["event_id"], unique=False)
    op.create_table(
        "checkpoint_performances",
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("performance_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["checkpoint_id"],
            ["checkpoints.id"],
            name=op.f("fk_checkpoint_performances_checkpoint_id"),
        ),
        sa.ForeignKeyConstraint(
            ["performance_id"],
            ["performances.id"],
            name=op.f("fk_checkpoint_performances_performance_id"),
        ),
        sa.PrimaryKeyConstraint(
            "checkpoint_id", "performance_id", name=op.f("pk_checkpoint_performances")
        ),
    )
    op.create_index(
        op.f("ix_checkpoint_performances_performance_id"),
        "checkpoint_performances",
        ["performance_id"],
        unique=False,
    )
    op.create_table(
        "enrolment_codes",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("gate_id", sa.Text(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name=op.f("fk_enrolment_codes_gate_id")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_enrolment_codes")),
    )
    op.create_index(
        op.f("ix_enrolment_codes_gate_id"), "enrolment_codes", ["gate_id"], unique=False
    )
    op.create_table(
        "journals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("gate_id", sa.Text(), nullable=True),
        sa.Column("head_sequence", sa.BigInteger(), nullable=False),
        sa.Column("head_chain", sa.LargeBinary(), nullable=False),
        sa.Column("forked", sa.Boolean(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name=op.f("fk_journals_gate_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journals")),
    )
    op.create_index(op.f("ix_journals_gate_id"), "journals", ["gate_id"], unique=False)
    op.create_table(
        "list_versions",
        sa.Column("performance_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("published_ms", sa.BigInteger(), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.Column("snapshot_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["performance_id"], ["performances.id"], name=op.f("fk_list_versions_performance_id")
        ),
        sa.PrimaryKeyConstraint("performance_id", "version", name=op.f("pk_list_versions")),
    )
    op.create_index(
        op.f("ix_list_versions_snapshot_sha256"), "list_versions", ["snapshot_sha256"], unique=False
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("performance_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["performance_id"], ["performances.id"], name=op.f("fk_sources_performance_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
        sa.UniqueConstraint("performance_id", "name", name=op.f("uq_sources_performance_id_name")),
    )
    op.create_table(
        "ticket_classes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("performance_id", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("per_day", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "mode = 'multi' OR (total IS NULL AND per_day IS NULL)",
            name=op.f("ck_ticket_classes_bounds"),
        ),
        sa.CheckConstraint(
            "mode IN ('single', 'entry_exit', 'multi')", name=op.f("ck_ticket_classes_mode")
        ),
        sa.ForeignKeyConstraint(
            ["performance_id"], ["performances.id"], name=op.f("fk_ticket_classes_performance_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_classes")),
    )
    op.create_index(
        op.f("ix_ticket_classes_performance_id"), "ticket_classes", ["performance_id"], unique=False
    )
    op.create_table(
        "clock_origins",
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.LargeBinary(), nullable=False),
        sa.Column("origin_ms", sa.BigInteger(), nullable=False),
        sa.Column("measured_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["journal_id"], ["journals.id"], name=op.f("fk_clock_origins_journal_id")
        ),
        sa.PrimaryKeyConstraint("journal_id", "boot_id", name=op.f("pk_clock_origins")),
    )
    op.create_table(
        "facts",
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("variant", sa.Integer(), nullable=False),
        sa.Column("gate_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("boot_ms", sa.BigInteger(), nullable=False),
        sa.Column("boot_id", sa.LargeBinary(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("performance_id", sa.Text(), nullable=False),
        sa.Column("identifier", sa.LargeBinary(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("ticket_class", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("feed_stream", sa.Text(), nullable=False),
        sa.Column("feed_number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('passage', 'reset', 'free')", name=op.f("ck_facts_kind")),
        sa.ForeignKeyConstraint(["journal_id"], ["journals.id"], name=op.f("fk_facts_journal_id")),
        sa.PrimaryKeyConstraint("journal_id", "sequence", "variant", name=op.f("pk_facts")),
        sa.UniqueConstraint(
            "feed_stream", "feed_number", name=op.f("uq_facts_feed_stream_feed_number")
        ),
    )
    op.create_index(
        op.f("ix_facts_checkpoint_id_at_us"), "facts", ["checkpoint_id", "at_us"], unique=False
    )
    op.create_index(
        op.f("ix_facts_checkpoint_id_performance_id_identifier"),
        "facts",
        ["checkpoint_id", "performance_id", "identifier"],
        unique=False,
    )
    op.create_index(op.f("ix_facts_gate_id_kind"), "facts", ["gate_id", "kind"], unique=False)
    op.create_index(
        op.f("ix_facts_performance_id_identifier"),
        "facts",
        ["performance_id", "identifier"],
        unique=False,
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("added", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("canceled", sa.BigInteger(), nullable=False),
        sa.Column("conflicts", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.CheckConstraint("mode IN ('add', 'replace')", name=op.f("ck_imports_mode")),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_imports_source_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_imports_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index(op.f("ix_imports_source_id"), "imports", ["source_id"], unique=False)
    op.create_table(
        "journal_forks",
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("blob_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("variant", sa.Integer(), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["journal_id"], ["journals.id"], name=op.f("fk_journal_forks_journal_id")
        ),
        sa.PrimaryKeyConstraint(
            "journal_id", "sequence", "blob_sha256", name=op.f("pk_journal_forks")
        ),
    )
    op.create_table(
        "journal_records",
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["journal_id"], ["journals.id"], name=op.f("fk_journal_records_journal_id")
        ),
        sa.PrimaryKeyConstraint("journal_id", "sequence", name=op.f("pk_journal_records")),
    )
    op.create_table(
        "refusals",
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("gate_id", sa.Text(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("performance_id", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["journal_id"], ["journals.id"], name=op.f("fk_refusals_journal_id")
        ),
        sa.PrimaryKeyConstraint("journal_id", "sequence", name=op.f("pk_refusals")),
    )
    op.create_index(op.f("ix_refusals_at_us"), "refusals", ["at_us"], unique=False)
    op.create_index(op.f("ix_refusals_checkpoint_id"), "refusals", ["checkpoint_id"], unique=False)
    op.create_index(op.f("ix_refusals_gate_id"), "refusals", ["gate_id"], unique=False)
    op.create_index(
        op.f("ix_refusals_performance_id"), "refusals", ["performance_id"], unique=False
    )
    op.create_table(
        "tickets",
        sa.Column("identifier", sa.LargeBinary(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("class_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["class_id"], ["ticket_classes.id"], name=op.f("fk_tickets_class_id")
        ),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_tickets_source_id")),
        sa.PrimaryKeyConstraint("identifier", name=op.f("pk_tickets")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_tickets_class_id"), "tickets", ["class_id"], unique=False)
    op.create_table(
        "ticket_states",
        sa.Column("identifier", sa.LargeBinary(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "origin IN ('source', 'operator')", name=op.f("ck_ticket_states_origin")
        ),
        sa.CheckConstraint(
            "state IN ('valid', 'canceled', 'reissued', 'blocked', 'unpaid', 'incomplete')",
            name=op.f("ck_ticket_states_state"),
        ),
        sa.ForeignKeyConstraint(
            ["identifier"], ["tickets.identifier"], name=op.f("fk_ticket_states_identifier")
        ),
        sa.PrimaryKeyConstraint("identifier", "ordinal", name=op.f("pk_ticket_states")),
    )
