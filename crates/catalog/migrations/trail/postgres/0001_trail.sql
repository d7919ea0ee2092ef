-- The audit trail: every record once, in the order in which it was written down, hash-chained. It lies apart from the catalog, so that
-- what is recorded never waits for what is pushed.
CREATE TABLE trail_record (
    position   BIGINT PRIMARY KEY,  -- from 1, without gaps
    id         TEXT NOT NULL,
    at         BIGINT NOT NULL,     -- microseconds since the epoch
    action     TEXT COLLATE "C" NOT NULL,      -- pull, push, delete, login, ...
    outcome    TEXT COLLATE "C" NOT NULL,      -- success, failure
    actor      TEXT COLLATE "C" NOT NULL,      -- a name, for persons the pseudonym
    kind       TEXT COLLATE "C" NOT NULL,      -- anonymous, user, robot, workload, work
    proof      TEXT COLLATE "C" NOT NULL,      -- how the actor proved who it is
    project    TEXT COLLATE "C",
    repository TEXT COLLATE "C",
    tag        TEXT COLLATE "C",
    digest     TEXT COLLATE "C",
    status     BIGINT,              -- of the answer
    request_id TEXT COLLATE "C",
    client     TEXT COLLATE "C",               -- address; NULL once the person is erased
    agent      TEXT,                 -- user agent; NULL once the person is erased
    personal   BYTEA,                -- both, sealed under the person's key: what the hash covers instead of them
    detail     TEXT NOT NULL,        -- JSON object
    event      BIGINT,              -- position in the event log of the change that it records
    hash       BYTEA NOT NULL        -- SHA-256 over the hash before and this record
);
CREATE INDEX trail_record_at ON trail_record (at);
CREATE INDEX trail_record_action ON trail_record (action, at);
CREATE INDEX trail_record_actor ON trail_record (actor, at);
CREATE INDEX trail_record_repository ON trail_record (repository, at) WHERE repository IS NOT NULL;
CREATE UNIQUE INDEX trail_record_event ON trail_record (event) WHERE event IS NOT NULL;

-- How many records there are of each hour, action and outcome, so that many are counted fast.
CREATE TABLE trail_hour (
    hour    BIGINT NOT NULL,  -- its begin, in microseconds since the epoch
    action  TEXT COLLATE "C" NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    records BIGINT NOT NULL,
    PRIMARY KEY (hour, action, outcome)
);

-- Where the chain ends, how far the event log has been copied, and from which position on records are still here.
CREATE TABLE trail_head (
    one      BIGINT PRIMARY KEY CHECK (one = 1),
    position BIGINT NOT NULL,
    hash     BYTEA NOT NULL,
    event    BIGINT NOT NULL,
    first    BIGINT NOT NULL,
    before   BYTEA NOT NULL          -- hash of the record before the first
);

INSERT INTO trail_head (one, position, hash, event, first, before) VALUES (1, 0, decode(repeat('00', 32), 'hex'), 0, 1, decode(repeat('00', 32), 'hex'));

-- What somebody who holds the signing key has said of the chain: proof against whoever has the database. Each signs the one before,
-- so none can be taken out.
CREATE TABLE trail_checkpoint (
    position  BIGINT PRIMARY KEY,
    hash      BYTEA NOT NULL,
    previous  BYTEA NOT NULL,        -- SHA-256 of the checkpoint before, as it was signed
    at        BIGINT NOT NULL,
    kid       TEXT NOT NULL,
    signature BYTEA NOT NULL
);

-- What the same key says of records that left: where they went. Without it, nothing is to be missing at the beginning.
CREATE TABLE trail_archive (
    last      BIGINT PRIMARY KEY,   -- position of the last record
    first     BIGINT NOT NULL,      -- of the first one
    hash      BYTEA NOT NULL,         -- of the last one
    file      TEXT NOT NULL,
    sha256    BYTEA NOT NULL,         -- of the file
    at        BIGINT NOT NULL,
    kid       TEXT NOT NULL,
    signature BYTEA NOT NULL
);

-- How far somebody who follows the trail has come, and who that is for now: one at a time.
CREATE TABLE trail_cursor (
    name     TEXT PRIMARY KEY NOT NULL,
    position BIGINT NOT NULL,
    owner    TEXT NOT NULL,
    until    BIGINT NOT NULL      -- after that another may take over
);
