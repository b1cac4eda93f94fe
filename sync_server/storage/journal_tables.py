"""Tables of journals as they came: lines of history, seals, and the machines' clocks."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from sync_server.storage.tables import RowKey, metadata

journals: Final = Table(
    "journals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("gate_id", Text, ForeignKey("gates.id"), index=True),  # null: the server's own
    Column("head_sequence", BigInteger, nullable=False),
    Column("head_chain", LargeBinary, nullable=False),
    Column("forked", Boolean, nullable=False, server_default="0"),
)

journal_records: Final = Table(
    "journal_records",
    metadata,
    Column("journal_id", Text, ForeignKey("journals.id"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    PrimaryKeyConstraint("journal_id", "sequence"),
)

journal_forks: Final = Table(
    "journal_forks",
    metadata,
    Column("journal_id", Text, ForeignKey("journals.id"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("blob_sha256", LargeBinary, nullable=False),
    Column("variant", Integer, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    PrimaryKeyConstraint("journal_id", "sequence", "blob_sha256"),
)

side_lines: Final = Table(  # histories of a journal beside its main one: its card was copied
    "side_lines",
    metadata,
    Column("id", RowKey, primary_key=True),
    Column("journal_id", Text, ForeignKey("journals.id"), nullable=False, index=True),
    Column("after_sequence", BigInteger, nullable=False),  # where it leaves another line
    Column("after_chain", LargeBinary, nullable=False),
    Column("head_sequence", BigInteger, nullable=False),
    Column("head_chain", LargeBinary, nullable=False),
    Column("found_ms", BigInteger, nullable=False),
    Column("settled_ms", BigInteger),  # null until an operator has looked into it
    Column("settled_by", Text, ForeignKey("users.id")),
    Column("reason", Text, nullable=False, server_default=""),
)

side_records: Final = Table(  # the content is in journal_forks, or the main line's own
    "side_records",
    metadata,
    Column("journal_id", Text, ForeignKey("journals.id"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("previous_chain", LargeBinary, nullable=False),
    Column("blob_sha256", LargeBinary, nullable=False),
    Column("line_id", RowKey, ForeignKey("side_lines.id"), nullable=False, index=True),
    PrimaryKeyConstraint("journal_id", "sequence", "chain"),
)

journal_seals: Final = Table(  # enough of them to prove every batch of a journal to others
    "journal_seals",
    metadata,
    Column("journal_id", Text, ForeignKey("journals.id"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    PrimaryKeyConstraint("journal_id", "sequence", "chain"),
)

quarantined_records: Final = Table(  # what revoked gates handed in; no part of any report or feed
    "quarantined_records",
    metadata,
    Column("id", RowKey, primary_key=True),
    Column("journal_id", Text, nullable=False),
    Column("gate_id", Text, ForeignKey("gates.id"), nullable=False, index=True),
    Column("sequence", BigInteger, nullable=False),
    Column("previous_chain", LargeBinary, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    Column("forked", Boolean, nullable=False),  # contradicts what is stored of the journal
    Column("wall_ms", BigInteger, nullable=False),  # these three: the batch's own moment
    Column("boot_ms", BigInteger, nullable=False),
    Column("boot_id", LargeBinary, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    UniqueConstraint("journal_id", "sequence", "chain"),
)

clock_origins: Final = Table(  # server time of a gate machine's start, as first measured
    "clock_origins",
    metadata,
    Column("journal_id", Text, ForeignKey("journals.id"), nullable=False),
    Column("boot_id", LargeBinary, nullable=False),
    Column("origin_ms", BigInteger, nullable=False),
    Column("measured_ms", BigInteger, nullable=False),
    Column("ahead_ms", BigInteger),  # the gate's wall clock of the server's, at that contact
    PrimaryKeyConstraint("journal_id", "boot_id"),
)
