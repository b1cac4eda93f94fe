"""The tables of releases and rollouts, of `tables`' own metadata."""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    Table,
    Text,
)

from sync_server.storage.tables import metadata

releases: Final = Table(  # bundles of gates' software; the files lie beside the database
    "releases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("compatible", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False, index=True),
    Column("note", Text, nullable=False, server_default=""),
    Column("added_ms", BigInteger, nullable=False),
    Column("added_by", Text, ForeignKey("users.id")),
    Column("withdrawn_ms", BigInteger),
)

rollouts: Final = Table(
    "rollouts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, ForeignKey("organizations.id"), nullable=False, index=True),
    Column("version", Text, nullable=False),
    Column("venue_id", Text, ForeignKey("venues.id")),  # null: every venue of the branch
    Column("canaries", JSON, nullable=False),  # ids of gates
    Column("steps", JSON, nullable=False),  # percent
    Column("healthy_h", Integer, nullable=False),
    Column("is_automatic", Boolean, nullable=False),
    Column("night_from_min", Integer),  # null, with the next: at any time
    Column("night_until_min", Integer),
    Column("is_downgrade", Boolean, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("stage", Integer, nullable=False),
    Column("stage_since_ms", BigInteger, nullable=False),
    Column("complete_ms", BigInteger),
    Column("reason", Text, nullable=False, server_default=""),
    Column("culprit", Text, nullable=False, server_default=""),
    Column("excused", JSON, nullable=False),  # ids of gates
    Column("created_ms", BigInteger, nullable=False),
    Column("created_by", Text, ForeignKey("users.id")),
    CheckConstraint(
        "state IN ('running', 'waiting', 'paused', 'halted', 'done', 'aborted')", name="state"
    ),
    CheckConstraint("(night_from_min IS NULL) = (night_until_min IS NULL)", name="night"),
)
