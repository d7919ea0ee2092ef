-- What all nodes of the registry have been told to do; no row means the ordinary: read and write.
CREATE TABLE mode (
    one        BIGINT PRIMARY KEY CHECK (one = 1),
    read_only  BIGINT NOT NULL,  -- 1 while pushes and deletes are refused and background work rests
    changed_at BIGINT NOT NULL
);
