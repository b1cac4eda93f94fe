-- The gate's own memory: one journal, what others did, the lists it believes, how far the server is.

PRAGMA application_id = 0x506F7274;

CREATE TABLE identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    journal TEXT NOT NULL
) STRICT;

-- no index besides the key: each would cost every commit another page on the card, to save some
-- milliseconds at a start
CREATE TABLE journal (
    sequence INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    refers_to INTEGER NOT NULL,
    chain BLOB NOT NULL,
    blob BLOB NOT NULL
) STRICT;

CREATE TABLE acknowledged (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,
    chain BLOB NOT NULL
) STRICT;

-- facts of other gates; the greatest number of a stream's last numbering is its cursor, and a
-- numbering is followed by another where a server came back from a backup
CREATE TABLE feed (
    stream TEXT NOT NULL,
    numbering INTEGER NOT NULL,
    number INTEGER NOT NULL,
    item BLOB NOT NULL,
    PRIMARY KEY (stream, numbering, number)
) STRICT, WITHOUT ROWID;

-- version and chain of a list never go down, also after it is dropped
CREATE TABLE lists (
    performance TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    chain TEXT NOT NULL,
    manifest BLOB NOT NULL,
    list_key BLOB NOT NULL
) STRICT;

CREATE TABLE assignment (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL,
    envelope BLOB NOT NULL
) STRICT;
