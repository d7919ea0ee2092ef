-- Repositories of another registry's store that are taken in. The empty name stands for the last one: nothing is missing any more.
CREATE TABLE imported (
    repository  TEXT COLLATE "C" PRIMARY KEY,
    manifests   BIGINT NOT NULL,
    tags        BIGINT NOT NULL,
    problems    TEXT NOT NULL,  -- JSON list of what was refused or missing
    imported_at BIGINT NOT NULL
);
