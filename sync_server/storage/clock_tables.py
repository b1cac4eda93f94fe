"""What sets the time of facts right: bounds of starts, and facts that went out once more."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from sync_server.storage.tables import metadata

clock_bounds: Final = Table(  # starts that never reached the server, by the next that did
    "clock_bounds",
    metadata,
    Column("journal_id", Text, ForeignKey("journals.id"), nullable=False),
    Column("boot_id", LargeBinary, nullable=False),
    Column("latest_ms", BigInteger, nullable=False),
    Column("ahead_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("journal_id", "boot_id"),
)

feed_repeats: Final = Table(  # further numbers of a feed under which a fact went out once more
    "feed_repeats",
    metadata,
    Column("stream", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("journal_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("variant", Integer, nullable=False),
    PrimaryKeyConstraint("stream", "number"),
    ForeignKeyConstraint(
        ["journal_id", "sequence", "variant"],
        ["facts.journal_id", "facts.sequence", "facts.variant"],
    ),
)
