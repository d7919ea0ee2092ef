-- What exists. Times are microseconds since the epoch, digests are text as the specification prints them.

-- The store that the locations in here are of, by the name that it bears.
CREATE TABLE identity (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    store TEXT NOT NULL
) STRICT;

CREATE TABLE repository (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

-- Bytes known by digest. Exactly one of `content` (small blobs) and `location` (in the blob store) is set.
CREATE TABLE blob (
    id           INTEGER PRIMARY KEY,
    digest       TEXT NOT NULL UNIQUE,
    size         INTEGER NOT NULL,
    location     TEXT,
    created_at   INTEGER NOT NULL,
    condemned_at INTEGER,  -- set while no repository links it: waiting to be collected
    damaged_at   INTEGER,  -- set when its bytes were found wrong or gone: never served, heals when pushed again
    content      BLOB      -- last: what lies behind it would cost a walk over its pages
) STRICT;
CREATE UNIQUE INDEX blob_location ON blob (location) WHERE location IS NOT NULL;
CREATE INDEX blob_condemned ON blob (condemned_at) WHERE condemned_at IS NOT NULL;
CREATE INDEX blob_damaged ON blob (damaged_at) WHERE damaged_at IS NOT NULL;

-- A blob is readable in the repositories that link it.
CREATE TABLE link (
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    blob_id       INTEGER NOT NULL REFERENCES blob (id),
    questioned_at INTEGER,  -- set while no manifest is known to name the blob: waiting to be reviewed
    PRIMARY KEY (repository_id, blob_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_blob ON link (blob_id);
CREATE INDEX link_questioned ON link (questioned_at) WHERE questioned_at IS NOT NULL;

CREATE TABLE manifest (
    id            INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    digest        TEXT NOT NULL,
    media_type    TEXT NOT NULL,
    subject       TEXT,     -- digest this manifest refers to
    artifact_type TEXT,     -- effective artifact type, for the referrers filter
    depth         INTEGER NOT NULL,  -- levels of manifests below and including it, as far as they were there at its push
    pushed_at     INTEGER NOT NULL,
    questioned_at INTEGER,  -- set while nothing is known to need it: reviewed when untagged manifests are collected
    descriptor    TEXT,     -- the referrers API's entry, set with `subject`
    content       BLOB NOT NULL,
    UNIQUE (repository_id, digest)
) STRICT;
CREATE INDEX manifest_subject ON manifest (repository_id, subject, digest) WHERE subject IS NOT NULL;
CREATE INDEX manifest_questioned ON manifest (questioned_at) WHERE questioned_at IS NOT NULL;

CREATE TABLE manifest_blob (
    repository_id INTEGER NOT NULL,  -- the manifest's; a reference would want an index of its own
    blob_id       INTEGER NOT NULL REFERENCES blob (id),
    manifest_id   INTEGER NOT NULL REFERENCES manifest (id) ON DELETE CASCADE,
    PRIMARY KEY (manifest_id, blob_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_blob_blob ON manifest_blob (blob_id, repository_id);

-- Blobs that a sparse manifest names and that were not there when it was pushed.
CREATE TABLE manifest_missing (
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    digest        TEXT NOT NULL,
    manifest_id   INTEGER NOT NULL REFERENCES manifest (id) ON DELETE CASCADE,
    PRIMARY KEY (manifest_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_missing_digest ON manifest_missing (repository_id, digest);

-- Children of an index, by digest: an index may be sparse.
CREATE TABLE manifest_child (
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    digest        TEXT NOT NULL,
    manifest_id   INTEGER NOT NULL REFERENCES manifest (id) ON DELETE CASCADE,
    PRIMARY KEY (manifest_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_child_digest ON manifest_child (repository_id, digest);

CREATE TABLE tag (
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    name          TEXT NOT NULL,
    manifest_id   INTEGER NOT NULL REFERENCES manifest (id),
    moved_at      INTEGER NOT NULL,
    PRIMARY KEY (repository_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX tag_manifest ON tag (manifest_id);

-- An upload session: belongs to one repository and one caller.
CREATE TABLE upload (
    id            TEXT PRIMARY KEY,
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    caller        TEXT NOT NULL,
    size          INTEGER NOT NULL,  -- acknowledged bytes
    hash_state    BLOB NOT NULL,     -- the digest's state after exactly those bytes
    content       BLOB,              -- those bytes, while they are few; NULL when they lie in the blob store
    started_at    INTEGER NOT NULL,
    touched_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX upload_touched ON upload (touched_at);
CREATE INDEX upload_repository ON upload (repository_id);

-- The sealed event log: append-only, without gaps, hash-chained in commit order.
CREATE TABLE event (
    position   INTEGER PRIMARY KEY,
    id         TEXT NOT NULL,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag        TEXT,
    digest     TEXT,
    caller     TEXT NOT NULL,
    detail     TEXT NOT NULL,  -- JSON object
    hash       BLOB NOT NULL   -- SHA-256 over the previous hash and this event
) STRICT;

CREATE TABLE job (
    id           INTEGER PRIMARY KEY,
    kind         TEXT NOT NULL,
    slot         TEXT,              -- at most one open job per slot
    payload      TEXT NOT NULL,     -- JSON
    state        TEXT NOT NULL,     -- queued, running, done, failed
    attempts     INTEGER NOT NULL,
    run_at       INTEGER NOT NULL,
    leased_by    TEXT,
    leased_until INTEGER,
    progress     TEXT,              -- JSON
    error        TEXT,
    created_at   INTEGER NOT NULL,
    finished_at  INTEGER
) STRICT;
CREATE INDEX job_due ON job (run_at) WHERE finished_at IS NULL;
CREATE INDEX job_ended ON job (finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX job_slot ON job (slot) WHERE finished_at IS NULL AND slot IS NOT NULL;

-- Locations whose row is gone and whose bytes are about to go.
CREATE TABLE trash (
    location   TEXT PRIMARY KEY,
    size       INTEGER NOT NULL,
    trashed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Running totals that must agree: what the catalog gave up, what the store freed.
CREATE TABLE ledger (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pull (
    repository_id INTEGER NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    reference     TEXT NOT NULL,   -- tag or digest as asked for
    count         INTEGER NOT NULL,
    last_at       INTEGER NOT NULL,
    PRIMARY KEY (repository_id, reference)
) STRICT, WITHOUT ROWID;
