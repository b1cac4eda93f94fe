"""The table of operators' commands, one of `tables`' own metadata."""

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, LargeBinary, PrimaryKeyConstraint, Table, Text

from sync_server.storage.tables import metadata

commands: Final = Table(  # what operators commanded gates to do, as it was signed
    "commands",
    metadata,
    Column("key_id", Text, nullable=False),
    Column("counter", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("gates", JSON, nullable=False),  # ids
    Column("envelope", LargeBinary, nullable=False),
    Column("issued_ms", BigInteger, nullable=False),
    Column("not_after_ms", BigInteger, nullable=False, index=True),
    PrimaryKeyConstraint("key_id", "counter"),
)
