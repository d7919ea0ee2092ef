-- The catalog's move to another database: here where it leaves, there where it arrives. While it leaves, triggers note in a table
-- of their own which rows changed; they are made when a move begins.
CREATE TABLE moving (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    id         TEXT NOT NULL,     -- the same on both sides
    peer       TEXT NOT NULL,     -- where it goes; on the other side the name of the store that it comes from
    state      TEXT NOT NULL,     -- copying, resting, gone; on the other side filling, ready, open
    worker     TEXT NOT NULL,     -- the one command that works it: who comes later takes over
    rests_till INTEGER NOT NULL,  -- while resting: until when pushes do
    applied    INTEGER NOT NULL,  -- on the other side: number of the last change that is in
    progress   TEXT NOT NULL,     -- JSON
    started_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
