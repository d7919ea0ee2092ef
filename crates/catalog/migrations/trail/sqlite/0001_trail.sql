-- The audit trail: every record once, in the order in which it was written down, hash-chained. It lies apart from the catalog, so that
-- what is recorded never waits for what is pushed.
CREATE TABLE trail_record (
    position   INTEGER PRIMARY KEY,  -- from 1, without gaps
    id         TEXT NOT NULL,
    at         INTEGER NOT NULL,     -- microseconds since the epoch
    action     TEXT NOT NULL,      -- pull, push, delete, login, ...
    outcome    TEXT NOT NULL,      -- success, failure
    actor      TEXT NOT NULL,      -- a name, for persons the pseudonym
    kind       TEXT NOT NULL,      -- anonymous, user, robot, workload, work
    proof      TEXT NOT NULL,      -- how the actor proved who it is
    project    TEXT,
    repository TEXT,
    tag        TEXT,
    digest     TEXT,
    status     INTEGER,              -- of the answer
    request_id TEXT,
    client     TEXT,               -- address; NULL once the person is erased
    agent      TEXT,                 -- user agent; NULL once the person is erased
    personal   BLOB,                -- both, sealed under the person's key: what the hash covers instead of them
    detail     TEXT NOT NULL,        -- JSON object
    event      INTEGER,              -- position in the event log of the change that it records
    hash       BLOB NOT NULL        -- SHA-256 over the hash before and this record
) STRICT;
CREATE INDEX trail_record_at ON trail_record (at);
CREATE INDEX trail_record_action ON trail_record (action, at);
CREATE INDEX trail_record_actor ON trail_record (actor, at);
CREATE INDEX trail_record_repository ON trail_record (repository, at) WHERE repository IS NOT NULL;
CREATE UNIQUE INDEX trail_record_event ON trail_record (event) WHERE event IS NOT NULL;

-- How many records there are of each hour, action and outcome, so that many are counted fast.
CREATE TABLE trail_hour (
    hour    INTEGER NOT NULL,  -- its begin, in microseconds since the epoch
    action  TEXT NOT NULL,
    outcome TEXT NOT NULL,
    records INTEGER NOT NULL,
    PRIMARY KEY (hour, action, outcome)
) STRICT, WITHOUT ROWID;

-- Where the chain ends, how far the event log has been copied, and from which position on records are still here.
CREATE TABLE trail_head (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    event    INTEGER NOT NULL,
    first    INTEGER NOT NULL,
    before   BLOB NOT NULL          -- hash of the record before the first
) STRICT;

INSERT INTO trail_head (one, position, hash, event, first, before) VALUES (1, 0, zeroblob(32), 0, 1, zeroblob(32));

-- What somebody who holds the signing key has said of the chain: proof against whoever has the database. Each signs the one before,
-- so none can be taken out.
CREATE TABLE trail_checkpoint (
    position  INTEGER PRIMARY KEY,
    hash      BLOB NOT NULL,
    previous  BLOB NOT NULL,        -- SHA-256 of the checkpoint before, as it was signed
    at        INTEGER NOT NULL,
    kid       TEXT NOT NULL,
    signature BLOB NOT NULL
) STRICT;

-- What the same key says of records that left: where they went. Without it, nothing is to be missing at the beginning.
CREATE TABLE trail_archive (
    last      INTEGER PRIMARY KEY,   -- position of the last record
    first     INTEGER NOT NULL,      -- of the first one
    hash      BLOB NOT NULL,         -- of the last one
    file      TEXT NOT NULL,
    sha256    BLOB NOT NULL,         -- of the file
    at        INTEGER NOT NULL,
    kid       TEXT NOT NULL,
    signature BLOB NOT NULL
) STRICT;

-- How far somebody who follows the trail has come, and who that is for now: one at a time.
CREATE TABLE trail_cursor (
    name     TEXT PRIMARY KEY NOT NULL,
    position INTEGER NOT NULL,
    owner    TEXT NOT NULL,
    until    INTEGER NOT NULL      -- after that another may take over
) STRICT;
