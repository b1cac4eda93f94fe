-- Others' journals, in a file of their own beside the gate's: a copy of what other gates have.

CREATE TABLE journals (
    id INTEGER PRIMARY KEY,
    journal TEXT NOT NULL UNIQUE,
    gate TEXT NOT NULL
) STRICT;

CREATE TABLE records (
    journal INTEGER NOT NULL REFERENCES journals (id),
    sequence INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    chain BLOB NOT NULL,
    blob BLOB NOT NULL,
    PRIMARY KEY (journal, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE certificates (
    id INTEGER PRIMARY KEY,
    envelope BLOB NOT NULL UNIQUE
) STRICT;

-- where a journal may be cut in two: each part ends with a record that its gate has sealed
CREATE TABLE seals (
    journal INTEGER NOT NULL REFERENCES journals (id),
    sequence INTEGER NOT NULL,
    signature BLOB NOT NULL,
    certificate INTEGER NOT NULL REFERENCES certificates (id),
    PRIMARY KEY (journal, sequence)
) STRICT, WITHOUT ROWID;

-- whom the server had revoked: also a gate that starts without it does not listen to them
CREATE TABLE revoked (
    gate TEXT PRIMARY KEY
) STRICT;
