"""The tables, as SQLAlchemy Core metadata. Read by the repositories and by the migrations' test.

Times are whole numbers, UTC, and their names carry the unit (`at_us`, `created_ms`). Identifiers
are UUIDv7 text; the plain integers that some tables use as keys never leave the database.
What a gate has reported (journals, facts) refers to no configuration table by a foreign key:
evidence is kept, whatever became of the checkpoint or performance it names.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

RowKey: Final = BigInteger().with_variant(Integer(), "sqlite")  # SQLite's rowid is spelled INTEGER

organizations: Final = Table(
    "organizations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("parent_id", Text, ForeignKey("organizations.id"), index=True),
    Column("name", Text, nullable=False),
)

users: Final = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, ForeignKey("organizations.id"), nullable=False, index=True),
    Column("login", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("language", Text, nullable=False, server_default="fr"),
    Column("disabled", Boolean, nullable=False, server_default="0"),
    CheckConstraint("role IN ('master', 'admin', 'operator')", name="role"),
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True),  # SHA-256 of the cookie's random token
    Column("user_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("csrf", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("ended_ms", BigInteger, index=True),  # null while it lives
    Column("ended_by", Text),
    Column("end_address", Text, nullable=False, server_default=""),
    CheckConstraint("(ended_ms IS NULL) = (ended_by IS NULL)", name="end"),
)

audit: Final = Table(
    "audit",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("user_id", Text, ForeignKey("users.id")),
    Column("what", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSON, nullable=False),
)

venues: Final = Table(
    "venues",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, ForeignKey("organizations.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("timezone", Text, nullable=False),
)

events: Final = Table(
    "events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, ForeignKey("organizations.id"), nullable=False, index=True),
    Column("venue_id", Text, ForeignKey("venues.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
)

performances: Final = Table(
    "performances",
    metadata,
    Column("id", Text, primary_key=True),
    Column("event_id", Text, ForeignKey("events.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("starts_ms", BigInteger),  # null: open-dated
    Column("timezone", Text, nullable=False),
    Column("day_starts_at", Text, nullable=False, server_default="00:00"),
    Column("excluded_categories", JSON, nullable=False),
    Column("admits_from_us", BigInteger),
    Column("admits_until_us", BigInteger),
    Column("canceled", Boolean, nullable=False, server_default="0"),
    Column("list_key", LargeBinary, nullable=False, unique=True),  # never rotated
    Column("published_version", BigInteger, nullable=False, server_default="0"),
    Column("listed", BigInteger, nullable=False, server_default="0"),  # tickets: none ever leaves
    Column("guessability", JSON(none_as_null=True)),  # of its numbers; null before an import
    Column("key_storage", Text, nullable=False, server_default="sealed"),  # file, sealed, memory
    Column("key_storage_reason", Text, nullable=False, server_default=""),
    Column("gate_fields", JSON(none_as_null=True)),  # of attributes; null: the ordinary ones
    Column("changes_logged", Boolean, nullable=False, server_default="0"),  # in ticket_changes
    CheckConstraint("length(list_key) = 32", name="list_key"),
)

checkpoints: Final = Table(
    "checkpoints",
    metadata,
    Column("id", Text, primary_key=True),
    Column("venue_id", Text, ForeignKey("venues.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("allowed_categories", JSON(none_as_null=True)),  # null: no restriction
    Column("capacity", BigInteger),  # null: no limit
)

checkpoint_performances: Final = Table(
    "checkpoint_performances",
    metadata,
    Column("checkpoint_id", Text, ForeignKey("checkpoints.id"), nullable=False),
    Column("performance_id", Text, ForeignKey("performances.id"), nullable=False, index=True),
    PrimaryKeyConstraint("checkpoint_id", "performance_id"),
)

gates: Final = Table(
    "gates",
    metadata,
    Column("id", Text, primary_key=True),
    Column("venue_id", Text, ForeignKey("venues.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("checkpoint_id", Text, ForeignKey("checkpoints.id"), nullable=False, index=True),
    Column("direction", Text, nullable=False),
    Column("public_key", LargeBinary, unique=True),  # Ed25519; null until enrolled
    Column("agreement_key", LargeBinary),  # X25519, for the list keys
    Column("enrolled_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    Column("last_seen_ms", BigInteger),
    Column("last_status", JSON(none_as_null=True)),
    Column("exit_policy", Text, nullable=False, server_default="listed"),
    Column("clock_policy", Text, nullable=False, server_default="admit"),  # or "refuse"
    Column("strict", Boolean, nullable=False, server_default="0"),
    Column("assignment_version", BigInteger, nullable=False, server_default="0"),
    Column("assignment_sha256", LargeBinary),  # of what that version says; null before the first
    Column("pending_ms", BigInteger),  # since when it waits to be confirmed; null: it does not
    Column("certificate_serial", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("direction IN ('entry', 'exit')", name="direction"),
    CheckConstraint("exit_policy IN ('listed', 'any', 'none')", name="exit_policy"),
)

enrolment_codes: Final = Table(
    "enrolment_codes",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    Column("gate_id", Text, ForeignKey("gates.id"), nullable=False, index=True),
    Column("expires_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger),
)

group_codes: Final = Table(  # each makes so many new gates, which wait to be confirmed
    "group_codes",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    Column("checkpoint_id", Text, ForeignKey("checkpoints.id"), nullable=False, index=True),
    Column("direction", Text, nullable=False),
    Column("uses_left", Integer, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    CheckConstraint("direction IN ('entry', 'exit')", name="direction"),
)

sources: Final = Table(
    "sources",
    metadata,
    Column("id", RowKey, primary_key=True),
    Column("performance_id", Text, ForeignKey("performances.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("performance_id", "name"),
)

imports: Final = Table(
    "imports",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source_id", RowKey, ForeignKey("sources.id"), nullable=False, index=True),
    Column("user_id", Text, ForeignKey("users.id")),
    Column("at_ms", BigInteger, nullable=False),
    Column("filename", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("added", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("canceled", BigInteger, nullable=False),
    Column("conflicts", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("problems", JSON, nullable=False),  # the first row errors: line, field, code; no numbers
    Column("guessability", JSON(none_as_null=True)),  # of all the performance's, as it was then
    CheckConstraint("mode IN ('add', 'replace')", name="mode"),
)

ticket_classes: Final = Table(
    "ticket_classes",
    metadata,
    Column("id", RowKey, primary_key=True),
    Column("performance_id", Text, ForeignKey("performances.id"), nullable=False, index=True),
    Column("category", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("total", BigInteger),
    Column("per_day", BigInteger),
    CheckConstraint("mode IN ('single', 'entry_exit', 'multi')", name="mode"),
    CheckConstraint("mode = 'multi' OR (total IS NULL AND per_day IS NULL)", name="bounds"),
)

tickets: Final = Table(  # narrow, for there are millions; the class says which performance
    "tickets",
    metadata,
    Column("identifier", LargeBinary, nullable=False),  # keyed by the performance's own list key
    Column("number", Text, nullable=False),
    Column("class_id", RowKey, ForeignKey("ticket_classes.id"), nullable=False, index=True),
    Column("source_id", RowKey, ForeignKey("sources.id"), nullable=False),
    PrimaryKeyConstraint("identifier"),
    sqlite_with_rowid=False,
)

ticket_states: Final = Table(  # a ticket without a row here has always been valid
    "ticket_states",
    metadata,
    Column("identifier", LargeBinary, ForeignKey("tickets.identifier"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("from_us", BigInteger),  # null: since ever
    Column("state", Text, nullable=False),
    Column("origin", Text, nullable=False),  # a source's word never undoes an operator's
    PrimaryKeyConstraint("identifier", "ordinal"),
    CheckConstraint("origin IN ('source', 'operator')", name="origin"),
    CheckConstraint(
        "state IN ('valid', 'canceled', 'reissued', 'blocked', 'unpaid', 'incomplete')",
        name="state",
    ),
)

ticket_attributes: Final = Table(  # what tickets say besides, of those that say something
    "ticket_attributes",
    metadata,
    Column("identifier", LargeBinary, ForeignKey("tickets.identifier"), nullable=False),
    Column("performance_id", Text, ForeignKey("performances.id"), nullable=False, index=True),
    Column("said", LargeBinary, nullable=False),  # names and seats: never logged
    PrimaryKeyConstraint("identifier"),
    sqlite_with_rowid=False,
)

roots: Final = Table(  # private keys are files beside the database, mode 0600
    "roots",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("installed_ms", BigInteger, nullable=False),
)

status_epochs: Final = Table(  # one row: statuses of a later start are of higher versions
    "status_epochs",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
)

list_versions: Final = Table(
    "list_versions",
    metadata,
    Column("performance_id", Text, ForeignKey("performances.id"), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("published_ms", BigInteger, nullable=False),
    Column("manifest", LargeBinary, nullable=False),  # the signed envelope's bytes
    Column("snapshot_sha256", LargeBinary, nullable=False, index=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("stops", BigInteger, nullable=False, server_default="0"),  # blocked, and no tickets
    PrimaryKeyConstraint("performance_id", "version"),
)

list_files: Final = Table(  # the pieces of published lists, each from the version that brought it
    "list_files",
    metadata,
    Column("performance_id", Text, ForeignKey("performances.id"), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False, index=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("base_version", BigInteger),  # of attributes: of the whole file that this one follows
    Column("fields", Text),  # of attributes: which of them, in order
    PrimaryKeyConstraint("performance_id", "version", "kind"),
    CheckConstraint("kind IN ('snapshot', 'segment', 'attributes')", name="kind"),
)

ticket_changes: Final = Table(  # since the list published last; a ticket may stand here often
    "ticket_changes",
    metadata,
    Column("id", RowKey, primary_key=True),
    Column("performance_id", Text, ForeignKey("performances.id"), nullable=False, index=True),
    Column("identifier", LargeBinary, nullable=False),
)

former_keys: Final = Table(  # device keys that gates had before: their seals stay good
    "former_keys",
    metadata,
    Column("gate_id", Text, ForeignKey("gates.id"), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("revoked", Boolean, nullable=False),  # given up by a revoked gate: a thief may have it
    PrimaryKeyConstraint("gate_id", "public_key"),
)

feed_counters: Final = Table(  # gap-free, raised inside the transaction that brings the fact
    "feed_counters",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("last_number", BigInteger, nullable=False),
)

feed_numbering: Final = Table(  # one row: names these numbers, for gates that know others' too
    "feed_numbering",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
)

facts: Final = Table(
    "facts",
    metadata,
    Column("journal_id", Text, ForeignKey("journals.id"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("variant", Integer, nullable=False),  # 0, or the number of a fork's other content
    Column("gate_id", Text),
    Column("kind", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),  # corrected by the clock's offset
    Column("wall_ms", BigInteger, nullable=False),  # as the gate wrote it
    Column("boot_ms", BigInteger, nullable=False),
    Column("boot_id", LargeBinary, nullable=False),
    Column("trusted_ms", BigInteger, nullable=False, server_default="0"),
    Column("checkpoint_id", Text, nullable=False),
    Column("performance_id", Text, nullable=False),  # '' where the fact names none
    Column("identifier", LargeBinary, nullable=False),  # b'' where the fact names none
    Column("direction", Text),  # null for a reset
    Column("answer", Text, nullable=False),
    Column("flags", Integer, nullable=False),  # admission.journal.Flag
    Column("ticket_class", JSON(none_as_null=True)),
    Column("feed_stream", Text, nullable=False),
    Column("feed_number", BigInteger, nullable=False),
    Column("refers_to", BigInteger, nullable=False, server_default="0"),  # a passage's grant
    PrimaryKeyConstraint("journal_id", "sequence", "variant"),
    UniqueConstraint("feed_stream", "feed_number"),
    CheckConstraint("kind IN ('passage', 'reset', 'free')", name="kind"),
    Index(None, "checkpoint_id", "performance_id", "identifier"),
    Index(None, "performance_id", "identifier"),
    Index(None, "gate_id", "kind"),
    Index(None, "checkpoint_id", "at_us"),
)

ticket_folds: Final = Table(  # what one key's facts come to, so that counts are sums
    "ticket_folds",
    metadata,
    Column("checkpoint_id", Text, nullable=False),
    Column("performance_id", Text, nullable=False),
    Column("identifier", LargeBinary, nullable=False),
    Column("occupancy", BigInteger, nullable=False),  # entries less exits, unforgotten
    Column("is_used", Boolean, nullable=False),  # whether an unforgotten passage is left
    Column("is_listed", Boolean, nullable=False),
    PrimaryKeyConstraint("checkpoint_id", "performance_id", "identifier"),
    Index(None, "performance_id", "identifier"),
)

anomalies: Final = Table(
    "anomalies",
    metadata,
    Column("journal_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("variant", Integer, nullable=False),
    Column("checkpoint_id", Text, nullable=False),
    Column("performance_id", Text, nullable=False),
    Column("identifier", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("journal_id", "sequence", "variant"),
    Index(None, "checkpoint_id", "performance_id", "identifier"),
)

refusals: Final = Table(
    "refused_scans",
    metadata,
    Column("journal_id", Text, ForeignKey("journals.id"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("variant", Integer, nullable=False),  # as in facts
    Column("at_us", BigInteger, nullable=False, index=True),
    Column("gate_id", Text, nullable=False, index=True),
    Column("checkpoint_id", Text, nullable=False, index=True),
    Column("performance_id", Text, nullable=False, index=True),
    Column("answer", Text, nullable=False),
    PrimaryKeyConstraint("journal_id", "sequence", "variant"),
)

# whose signed tickets count; rows stay, for passages refer to their classes
issuers: Final = Table(
    "issuers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("performance_id", Text, ForeignKey("performances.id"), nullable=False, index=True),
    Column("format", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("classes", JSON, nullable=False),  # [code, variation, category, mode, total, per_day]
    Column("subevents", JSON(none_as_null=True)),  # null: no restriction
    Column("accepted", Boolean, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    CheckConstraint("format IN ('portillon_1', 'pretix_sig1')", name="format"),
)

rotations: Final = Table(  # rotating codes; no row where a performance has none
    "rotations",
    metadata,
    Column("performance_id", Text, ForeignKey("performances.id"), primary_key=True),
    Column("pattern", Text, nullable=False),
    Column("period_ms", BigInteger, nullable=False),
    Column("lengths", JSON, nullable=False),
    Column("allows_static", Boolean, nullable=False),
)

number_blocks: Final = Table(  # revoked or blocked numbers, for tickets that prove themselves
    "number_blocks",
    metadata,
    Column("identifier", LargeBinary, nullable=False),  # keyed by the performance's own list key
    Column("ordinal", Integer, nullable=False),
    Column("performance_id", Text, ForeignKey("performances.id"), nullable=False, index=True),
    Column("number", Text, nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("blocked", Boolean, nullable=False),  # false: released
    PrimaryKeyConstraint("identifier", "ordinal"),
)
