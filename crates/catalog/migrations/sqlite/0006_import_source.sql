-- The bucket of another registry that is being imported, for every node; no row when there is none.
CREATE TABLE import_source (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    name    TEXT NOT NULL,   -- which store it is
    address TEXT NOT NULL    -- how to reach it, as the binary wrote it
) STRICT;
