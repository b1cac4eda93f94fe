-- Journals that cannot lose a passage: what a gate keeps besides the one it writes.

-- whose numbers a stream's items are kept under: each server numbers for itself, and a gate may be
-- moved from one to another and back; where there is no row, the server did not say
CREATE TABLE feed_numberings (
    stream TEXT NOT NULL,
    numbering INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (stream, numbering)
) STRICT, WITHOUT ROWID;

CREATE TABLE numbering_heard (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    name TEXT NOT NULL
) STRICT;
