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

-- every journal that this gate ever wrote lies in `journal`, one after another: a record's `sequence`
-- there is its own and its journal's `base` together, so that beginning anew moves nothing
ALTER TABLE identity ADD COLUMN base INTEGER NOT NULL DEFAULT 0;

CREATE TABLE former_journals (
    journal TEXT PRIMARY KEY,
    base INTEGER NOT NULL UNIQUE,
    head INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL,
    acknowledged_chain BLOB NOT NULL,
    why TEXT NOT NULL
) STRICT;

-- what is inserted here is the first record of a new journal: one statement, so that at no instant
-- there is a journal without a beginning, or none
CREATE VIEW beginnings AS SELECT journal, x'' AS chain, x'' AS blob, '' AS why FROM identity;

CREATE TRIGGER begin_anew INSTEAD OF INSERT ON beginnings
BEGIN
    INSERT INTO former_journals
        SELECT identity.journal, base, (SELECT max(sequence) FROM journal) - base,
            coalesce(acknowledged.sequence, 0), coalesce(acknowledged.chain, x''), new.why
        FROM identity LEFT JOIN acknowledged ON true;
    UPDATE identity SET journal = new.journal, base = (SELECT max(sequence) FROM journal);
    DELETE FROM acknowledged;
    INSERT INTO journal (sequence, kind, refers_to, chain, blob)
        SELECT base + 1, 1, 0, new.chain, new.blob FROM identity;
END;

-- a commit that says nothing, to try whether the card keeps what is written
CREATE TABLE probe (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    count INTEGER NOT NULL
) STRICT;

-- facts of a damaged journal that stand behind a break of its chain: nobody can prove them, so they
-- are judged by and never handed in
CREATE TABLE stray_facts (
    journal TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    blob BLOB NOT NULL,
    PRIMARY KEY (journal, sequence)
) STRICT, WITHOUT ROWID;
