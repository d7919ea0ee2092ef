-- Who may do what. Whoever changes something here that decisions rest on bumps `access_generation`, which every node follows.
CREATE TABLE access_generation (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT INTO access_generation (one, value) VALUES (1, 0);

-- A project is the first component of its repositories' names.
CREATE TABLE project (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    public     INTEGER NOT NULL,  -- 1: everybody may pull
    settings   TEXT NOT NULL,     -- JSON object
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL
) STRICT;
-- What was pushed before there were projects lies in private ones.
INSERT INTO project (name, public, settings, created_at, created_by)
SELECT substr(name || '/', 1, instr(name || '/', '/') - 1), 0, '{}', MIN(created_at), ''
  FROM repository GROUP BY 1;

-- Roles made through the API; those of the configuration and the built-in ones have no rows.
CREATE TABLE role (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    policies    TEXT NOT NULL,    -- JSON: [{"resources": [..], "actions": [..], "effect": "allow"}]
    changed_at  INTEGER NOT NULL
) STRICT;

-- Who has which role where. Here and below AUTOINCREMENT: what was remembered by its number is never another.
CREATE TABLE binding (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL,     -- user, group, robot, workload, authenticated, anonymous
    subject    TEXT NOT NULL,     -- its name; empty for authenticated and anonymous
    role       TEXT NOT NULL,
    project    TEXT NOT NULL,     -- empty: everywhere
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    UNIQUE (kind, subject, role, project)
) STRICT;
CREATE INDEX binding_project ON binding (project);
CREATE INDEX binding_role ON binding (role);

CREATE TABLE account (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    name                TEXT NOT NULL UNIQUE,
    source              TEXT NOT NULL,  -- local, ldap, oidc
    external            TEXT,           -- who it is there: issuer and subject, or a distinguished name
    display_name        TEXT,
    email               TEXT,
    password            TEXT,             -- a PHC string, or a hash of Harbor's until its first use
    password_changed_at INTEGER,
    must_change         INTEGER NOT NULL, -- 1: nothing but a change of the password is allowed
    failures            INTEGER NOT NULL, -- wrong passwords since the last right one
    locked_until        INTEGER,
    totp                BLOB,            -- sealed secret of the second factor
    totp_step           INTEGER,          -- last step used: none is good twice
    member_of           TEXT NOT NULL,    -- JSON: groups as of the last login elsewhere
    disabled_at         INTEGER,
    valid_after         INTEGER NOT NULL, -- tokens and sessions from before are good for nothing
    created_at          INTEGER NOT NULL,
    seen_at             INTEGER
) STRICT;
CREATE UNIQUE INDEX account_external ON account (source, external) WHERE external IS NOT NULL;
-- Few, and in the end none.
CREATE INDEX account_of_harbor ON account (id) WHERE password LIKE '$harbor-%';

-- Passwords that may not be used again.
CREATE TABLE old_password (
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    changed_at INTEGER NOT NULL,
    password   TEXT NOT NULL,
    PRIMARY KEY (account_id, changed_at)
) STRICT, WITHOUT ROWID;

-- Passwords that a user made for clients. The secret is random, so a plain hash does.
CREATE TABLE app_password (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    secret     TEXT NOT NULL UNIQUE,  -- SHA-256 in hex
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    used_at    INTEGER
) STRICT;
CREATE INDEX app_password_account ON app_password (account_id);
-- Nodes know those whose tokens may still be out.
CREATE INDEX app_password_revoked ON app_password (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE robot (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,  -- whole: robot+NAME or robot+PROJECT+NAME
    project     TEXT NOT NULL,         -- empty for one of the system
    description TEXT NOT NULL,
    policies    TEXT NOT NULL,           -- JSON as in `role`
    owner       TEXT NOT NULL,
    known_to    TEXT NOT NULL DEFAULT '[]', -- JSON: the names of those who were shown its secret, and of who knows theirs
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,
    disabled_at INTEGER,
    valid_after INTEGER NOT NULL,
    used_at     INTEGER
) STRICT;
CREATE INDEX robot_project ON robot (project);

-- Two at once while one takes over from the other.
CREATE TABLE robot_secret (
    id         INTEGER PRIMARY KEY,
    robot_id   INTEGER NOT NULL REFERENCES robot (id) ON DELETE CASCADE,
    secret     TEXT NOT NULL UNIQUE,  -- SHA-256 in hex, or a hash of Harbor's until its first use
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;
CREATE INDEX robot_secret_robot ON robot_secret (robot_id);
CREATE INDEX robot_secret_ends ON robot_secret (expires_at) WHERE expires_at IS NOT NULL;

-- Browser sessions and refresh tokens: what was proved once and is believed for a while. And second factors that wait for their first code.
CREATE TABLE session (
    id         INTEGER PRIMARY KEY,
    secret     TEXT NOT NULL UNIQUE,  -- SHA-256 in hex
    kind       TEXT NOT NULL,         -- browser, refresh, api, enrolment
    owner      TEXT NOT NULL,         -- the user's name
    configured TEXT,                  -- fingerprint of the password's hash, of a user of the configuration
    identity   TEXT NOT NULL,           -- JSON: kind, name, proof, groups
    detail     TEXT NOT NULL,           -- JSON object
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX session_expires ON session (expires_at);
CREATE INDEX session_owner ON session (owner, kind, seen_at);

-- Users of the configuration whose sessions and tokens somebody ended: they have no account that could say so.
CREATE TABLE logout (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    valid_after INTEGER NOT NULL           -- tokens and sessions from before are good for nothing
) STRICT;

-- Tokens of others that are good once, and were used.
CREATE TABLE spent (
    digest     TEXT PRIMARY KEY,      -- SHA-256 in hex
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX spent_expires ON spent (expires_at);

-- Keys that tokens are signed with; the newest signs, older ones verify until `gone_at`.
CREATE TABLE signing_key (
    id         INTEGER PRIMARY KEY,
    kid        TEXT NOT NULL UNIQUE,
    sealed     BLOB NOT NULL,    -- PKCS #8
    public     TEXT NOT NULL,     -- JWK
    created_at INTEGER NOT NULL,
    gone_at    INTEGER
) STRICT;

-- The key that secrets in here are sealed under, where the configuration names none; and which keys there were.
CREATE TABLE vault_key (
    id         INTEGER PRIMARY KEY,
    kid        TEXT NOT NULL UNIQUE,
    material   BLOB,             -- NULL where it lies elsewhere
    created_at INTEGER NOT NULL
) STRICT;

-- Secrets of the configuration that are kept here: passwords for directories and other registries.
CREATE TABLE secret (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    sealed     BLOB NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;

-- Persons in the logs: a random name that says nothing, and the key to what the logs say of them. Both go when a person is erased.
CREATE TABLE subject (
    id         INTEGER PRIMARY KEY,
    pseudonym  TEXT NOT NULL UNIQUE,
    name       TEXT UNIQUE,
    sealed     BLOB,             -- key, under the vault's
    created_at INTEGER NOT NULL,
    erased_at  INTEGER,
    blanked_at INTEGER           -- since when no plain column of the trail says from where they called
) STRICT;
-- Nodes forget those who were erased.
CREATE INDEX subject_erased ON subject (erased_at) WHERE erased_at IS NOT NULL;
