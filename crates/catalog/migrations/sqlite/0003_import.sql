-- Repositories of another registry's store that are taken in. The empty name stands for the last one: nothing is missing any more.
CREATE TABLE imported (
    repository  TEXT PRIMARY KEY,
    manifests   INTEGER NOT NULL,
    tags        INTEGER NOT NULL,
    problems    TEXT NOT NULL,  -- JSON list of what was refused or missing
    imported_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
