-- What exists, as in SQLite's file of the same number. Times are microseconds since the epoch, digests are text as the
-- specification prints them. Text that is compared or sorted has the order of its bytes, whatever the database's language is.

-- The store that the locations in here are of, by the name that it bears.
CREATE TABLE identity (
    one   BIGINT PRIMARY KEY CHECK (one = 1),
    store TEXT COLLATE "C" NOT NULL
);

CREATE TABLE repository (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

-- Bytes known by digest. Exactly one of `content` (small blobs) and `location` (in the blob store) is set.
CREATE TABLE blob (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest       TEXT COLLATE "C" NOT NULL UNIQUE,
    size         BIGINT NOT NULL,
    location     TEXT COLLATE "C",
    created_at   BIGINT NOT NULL,
    condemned_at BIGINT,  -- set while no repository links it: waiting to be collected
    damaged_at   BIGINT,  -- set when its bytes were found wrong or gone: never served, heals when pushed again
    content      BYTEA
);
CREATE UNIQUE INDEX blob_location ON blob (location) WHERE location IS NOT NULL;
CREATE INDEX blob_condemned ON blob (condemned_at) WHERE condemned_at IS NOT NULL;
CREATE INDEX blob_damaged ON blob (damaged_at) WHERE damaged_at IS NOT NULL;

-- A blob is readable in the repositories that link it.
CREATE TABLE link (
    repository_id BIGINT NOT NULL REFERENCES repository (id),
    blob_id       BIGINT NOT NULL REFERENCES blob (id),
    questioned_at BIGINT,  -- set while no manifest is known to name the blob: waiting to be reviewed
    PRIMARY KEY (repository_id, blob_id)
);
CREATE INDEX link_blob ON link (blob_id);
CREATE INDEX link_questioned ON link (questioned_at) WHERE questioned_at IS NOT NULL;

CREATE TABLE manifest (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    repository_id BIGINT NOT NULL REFERENCES repository (id),
    digest        TEXT COLLATE "C" NOT NULL,
    media_type    TEXT NOT NULL,
    subject       TEXT COLLATE "C",  -- digest this manifest refers to
    artifact_type TEXT COLLATE "C",  -- effective artifact type, for the referrers filter
    depth         BIGINT NOT NULL,   -- levels of manifests below and including it, as far as they were there at its push
    pushed_at     BIGINT NOT NULL,
    questioned_at BIGINT,            -- set while nothing is known to need it: reviewed when untagged manifests are collected
    descriptor    TEXT,              -- the referrers API's entry, set with `subject`
    content       BYTEA NOT NULL,
    UNIQUE (repository_id, digest)
);
CREATE INDEX manifest_subject ON manifest (repository_id, subject, digest) WHERE subject IS NOT NULL;
CREATE INDEX manifest_questioned ON manifest (questioned_at) WHERE questioned_at IS NOT NULL;

CREATE TABLE manifest_blob (
    repository_id BIGINT NOT NULL,  -- the manifest's; a reference would want an index of its own
    blob_id       BIGINT NOT NULL REFERENCES blob (id),
    manifest_id   BIGINT NOT NULL REFERENCES manifest (id) ON DELETE CASCADE,
    PRIMARY KEY (manifest_id, blob_id)
);
CREATE INDEX manifest_blob_blob ON manifest_blob (blob_id, repository_id);

-- Blobs that a sparse manifest names and that were not there when it was pushed.
CREATE TABLE manifest_missing (
    repository_id BIGINT NOT NULL REFERENCES repository (id),
    digest        TEXT COLLATE "C" NOT NULL,
    manifest_id   BIGINT NOT NULL REFERENCES manifest (id) ON DELETE CASCADE,
    PRIMARY KEY (manifest_id, digest)
);
CREATE INDEX manifest_missing_digest ON manifest_missing (repository_id, digest);

-- Children of an index, by digest: an index may be sparse.
CREATE TABLE manifest_child (
    repository_id BIGINT NOT NULL REFERENCES repository (id),
    digest        TEXT COLLATE "C" NOT NULL,
    manifest_id   BIGINT NOT NULL REFERENCES manifest (id) ON DELETE CASCADE,
    PRIMARY KEY (manifest_id, digest)
);
CREATE INDEX manifest_child_digest ON manifest_child (repository_id, digest);

CREATE TABLE tag (
    repository_id BIGINT NOT NULL REFERENCES repository (id),
    name          TEXT COLLATE "C" NOT NULL,
    manifest_id   BIGINT NOT NULL REFERENCES manifest (id),
    moved_at      BIGINT NOT NULL,
    PRIMARY KEY (repository_id, name)
);
CREATE INDEX tag_manifest ON tag (manifest_id);

-- An upload session: belongs to one repository and one caller.
CREATE TABLE upload (
    id            TEXT COLLATE "C" PRIMARY KEY,
    repository_id BIGINT NOT NULL REFERENCES repository (id),
    caller        TEXT NOT NULL,
    size          BIGINT NOT NULL,  -- acknowledged bytes
    hash_state    BYTEA NOT NULL,   -- the digest's state after exactly those bytes
    content       BYTEA,            -- those bytes, while they are few; NULL when they lie in the blob store
    started_at    BIGINT NOT NULL,
    touched_at    BIGINT NOT NULL
);
CREATE INDEX upload_touched ON upload (touched_at);
CREATE INDEX upload_repository ON upload (repository_id);

-- The sealed event log: append-only, without gaps, hash-chained in commit order.
CREATE TABLE event (
    position   BIGINT PRIMARY KEY,
    id         TEXT COLLATE "C" NOT NULL,
    at         BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    repository TEXT COLLATE "C" NOT NULL,
    tag        TEXT COLLATE "C",
    digest     TEXT COLLATE "C",
    caller     TEXT NOT NULL,
    detail     TEXT NOT NULL,  -- JSON object
    hash       BYTEA NOT NULL  -- SHA-256 over the previous hash and this event
);

-- Events whose unit of work has committed and that no node has sealed yet. A unit takes its numbers last, so that one that saw
-- another's changes stands behind it.
CREATE TABLE event_unsealed (
    number     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         TEXT NOT NULL,
    at         BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag        TEXT,
    digest     TEXT,
    caller     TEXT NOT NULL,
    detail     TEXT NOT NULL
);

-- The last sealed event. Who holds the row's lock seals.
CREATE TABLE event_head (
    one      BIGINT PRIMARY KEY CHECK (one = 1),
    position BIGINT NOT NULL,
    hash     BYTEA NOT NULL
);
INSERT INTO event_head (one, position, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));

CREATE TABLE job (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         TEXT COLLATE "C" NOT NULL,
    slot         TEXT COLLATE "C",  -- at most one open job per slot
    payload      TEXT NOT NULL,     -- JSON
    state        TEXT COLLATE "C" NOT NULL,  -- queued, running, done, failed
    attempts     BIGINT NOT NULL,
    run_at       BIGINT NOT NULL,
    leased_by    TEXT COLLATE "C",
    leased_until BIGINT,
    progress     TEXT,              -- JSON
    error        TEXT,
    created_at   BIGINT NOT NULL,
    finished_at  BIGINT
);
CREATE INDEX job_due ON job (run_at) WHERE finished_at IS NULL;
CREATE INDEX job_ended ON job (finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX job_slot ON job (slot) WHERE finished_at IS NULL AND slot IS NOT NULL;

-- Locations whose row is gone and whose bytes are about to go.
CREATE TABLE trash (
    location   TEXT COLLATE "C" PRIMARY KEY,
    size       BIGINT NOT NULL,
    trashed_at BIGINT NOT NULL
);

-- Running totals that must agree: what the catalog gave up, what the store freed. Units of work would queue for a total's row,
-- so they append to `ledger_delta`, and the sealer folds that into `ledger_total`. Readers see the sum.
CREATE TABLE ledger_total (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value BIGINT NOT NULL
);
CREATE TABLE ledger_delta (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name   TEXT COLLATE "C" NOT NULL,
    value  BIGINT NOT NULL
);
CREATE VIEW ledger AS
SELECT name, CAST(SUM(value) AS BIGINT) AS value
  FROM (SELECT name, value FROM ledger_total UNION ALL SELECT name, value FROM ledger_delta) AS every
 GROUP BY name;

CREATE TABLE pull (
    repository_id BIGINT NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    reference     TEXT COLLATE "C" NOT NULL,  -- tag or digest as asked for
    count         BIGINT NOT NULL,
    last_at       BIGINT NOT NULL,
    PRIMARY KEY (repository_id, reference)
);

-- What no node may serve from memory any more: counts up with each withdrawal from a stripe of repositories; -1 is all of them.
CREATE TABLE generation (
    stripe BIGINT PRIMARY KEY,
    value  BIGINT NOT NULL
);

-- Always empty: units of work that failed too often lock it, and so go one at a time.
CREATE TABLE turn (
    one BIGINT PRIMARY KEY
);
