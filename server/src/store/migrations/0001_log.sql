-- The log of every room. Taproom never changes or deletes a row of `events`: what happens later is an event of its own.

-- One row: which life of the log this is.
CREATE TABLE log (
    epoch   TEXT    NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE rooms (
    id      INTEGER PRIMARY KEY,
    name    TEXT    NOT NULL UNIQUE,
    created INTEGER NOT NULL
) STRICT;

-- Clustered by position, so that a page of history is one stretch of the file.
CREATE TABLE events (
    room       INTEGER NOT NULL REFERENCES rooms,
    seq        INTEGER NOT NULL CHECK (seq > 0), -- 1, 2, 3 … in its room, without holes
    message_id TEXT    NOT NULL,                 -- chosen by the author's client
    sent       INTEGER NOT NULL,                 -- milliseconds since 1970, UTC
    kind       INTEGER NOT NULL,                 -- 0 speech, 1 action
    name       TEXT    NOT NULL,                 -- what the author was called
    author     BLOB    NOT NULL,                 -- who may send this id again: a digest, never the cookie itself
    person     INTEGER NOT NULL,                 -- the same, while the author stays connected
    socket     TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    PRIMARY KEY (room, seq)
) STRICT, WITHOUT ROWID;

-- One message for one id, for ever.
CREATE UNIQUE INDEX events_by_message_id ON events (room, message_id);
