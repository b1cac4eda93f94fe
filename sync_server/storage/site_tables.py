"""The tables of site servers, of `tables`' own metadata: at the central server, and on a site.

`sites` and `site_codes` are the central server's. The others are used on a site alone, beside the
journals and facts of the same database; at the central server they stay empty.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from sync_server.storage.tables import metadata

RowKey = BigInteger().with_variant(Integer(), "sqlite")  # SQLite's rowid is spelled INTEGER

sites: Final = Table(  # site servers: machines at a venue that carry for its gates
    "sites",
    metadata,
    Column("id", Text, primary_key=True),
    Column("venue_id", Text, ForeignKey("venues.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("public_key", LargeBinary, unique=True),  # Ed25519; null until it has joined
    Column("pins", JSON, nullable=False),  # hexadecimal
    Column("addresses", JSON, nullable=False),
    Column("joined_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    Column("last_seen_ms", BigInteger),
    Column("last_status", JSON(none_as_null=True)),
)

site_codes: Final = Table(
    "site_codes",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    Column("site_id", Text, ForeignKey("sites.id"), nullable=False, index=True),
    Column("expires_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger),
)

site_documents: Final = Table(  # on a site server: what it has from upstream for its gates
    "site_documents",
    metadata,
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("fetched_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("kind", "name"),
)

site_batches: Final = Table(  # on a site server: what gates handed in, as it came, for upstream
    "site_batches",
    metadata,
    Column("id", RowKey, primary_key=True),
    Column("journal_id", Text, nullable=False, index=True),
    Column("gate_id", Text, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("taken_ms", BigInteger, nullable=False),
    Column("carried_ms", BigInteger, index=True),  # null: upstream does not have it yet
)

site_cursors: Final = Table(  # on a site server: how far it has upstream's feeds
    "site_cursors",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("cursor", BigInteger, nullable=False),
    Column("numbering", Text, nullable=False),
)
