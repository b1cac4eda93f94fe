-- The chain of trust: what a gate remembers besides its first memory. Nothing here goes back.

-- the envelope of the list that was in use before the installed one: what is left should that one
-- be damaged; version and chain speak of the newest all the same
ALTER TABLE lists ADD COLUMN before BLOB;

-- what the server last signed of the time; between two of them the journal's own records keep
-- trusted time from going back
CREATE TABLE signed_time (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    boot_id BLOB NOT NULL,
    boot_ms INTEGER NOT NULL,
    floor_ms INTEGER NOT NULL,
    greatest_ms INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    origin_ms INTEGER,
    error_ms INTEGER,
    heard_boot_ms INTEGER
) STRICT;

-- list keys, as far as their lists allow them to be kept, and how; before, they lay in clear in `lists`
CREATE TABLE list_keys (
    performance TEXT PRIMARY KEY,
    how TEXT NOT NULL,
    content BLOB NOT NULL
) STRICT;
INSERT INTO list_keys SELECT performance, 'file', list_key FROM lists;
ALTER TABLE lists DROP COLUMN list_key;

-- the roots that followed the one of the enrolment; none is ever changed or removed
CREATE TABLE roots (
    version INTEGER PRIMARY KEY,
    envelope BLOB NOT NULL,
    forget_lists INTEGER NOT NULL,
    forget_status INTEGER NOT NULL
) STRICT;

CREATE TABLE status (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL
) STRICT;

-- a role whose keys were all replaced counts from nothing again, in the root's own commit: what a
-- thief of the old keys drove up must not shut the door for ever
CREATE TRIGGER forget_lists AFTER INSERT ON roots WHEN new.forget_lists
BEGIN
    UPDATE lists SET version = 0, chain = '';
END;

CREATE TRIGGER forget_status AFTER INSERT ON roots WHEN new.forget_status
BEGIN
    DELETE FROM status;
END;

-- operators' commands that were obeyed, none ever again; the last lock or unlock is how the gate is
CREATE TABLE commands (
    ordinal INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    counter INTEGER NOT NULL,
    action TEXT NOT NULL,
    UNIQUE (key, counter)
) STRICT;
