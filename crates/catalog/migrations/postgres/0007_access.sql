-- Who may do what. Whoever changes something here that decisions rest on bumps `access_generation`, which every node follows.
CREATE TABLE access_generation (
    one   BIGINT PRIMARY KEY CHECK (one = 1),
    value BIGINT NOT NULL
);
INSERT INTO access_generation (one, value) VALUES (1, 0);

-- A project is the first component of its repositories' names.
CREATE TABLE project (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    public     BIGINT NOT NULL,  -- 1: everybody may pull
    settings   TEXT NOT NULL,     -- JSON object
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);
-- What was pushed before there were projects lies in private ones.
INSERT INTO project (name, public, settings, created_at, created_by)
SELECT split_part(name, '/', 1), 0, '{}', MIN(created_at), ''
  FROM repository GROUP BY 1;

-- Roles made through the API; those of the configuration and the built-in ones have no rows.
CREATE TABLE role (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        TEXT COLLATE "C" NOT NULL UNIQUE,
    description TEXT NOT NULL,
    policies    TEXT NOT NULL,    -- JSON: [{"resources": [..], "actions": [..], "effect": "allow"}]
    changed_at  BIGINT NOT NULL
);

-- Who has which role where.
CREATE TABLE binding (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       TEXT COLLATE "C" NOT NULL,     -- user, group, robot, workload, authenticated, anonymous
    subject    TEXT COLLATE "C" NOT NULL,     -- its name; empty for authenticated and anonymous
    role       TEXT COLLATE "C" NOT NULL,
    project    TEXT COLLATE "C" NOT NULL,     -- empty: everywhere
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    UNIQUE (kind, subject, role, project)
);
CREATE INDEX binding_project ON binding (project);
CREATE INDEX binding_role ON binding (role);

CREATE TABLE account (
    id                  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                TEXT COLLATE "C" NOT NULL UNIQUE,
    source              TEXT COLLATE "C" NOT NULL,  -- local, ldap, oidc
    external            TEXT COLLATE "C",           -- who it is there: issuer and subject, or a distinguished name
    display_name        TEXT,
    email               TEXT,
    password            TEXT,             -- a PHC string, or a hash of Harbor's until its first use
    password_changed_at BIGINT,
    must_change         BIGINT NOT NULL, -- 1: nothing but a change of the password is allowed
    failures            BIGINT NOT NULL, -- wrong passwords since the last right one
    locked_until        BIGINT,
    totp                BYTEA,            -- sealed secret of the second factor
    totp_step           BIGINT,          -- last step used: none is good twice
    member_of           TEXT NOT NULL,    -- JSON: groups as of the last login elsewhere
    disabled_at         BIGINT,
    valid_after         BIGINT NOT NULL, -- tokens and sessions from before are good for nothing
    created_at          BIGINT NOT NULL,
    seen_at             BIGINT
);
CREATE UNIQUE INDEX account_external ON account (source, external) WHERE external IS NOT NULL;
-- Few, and in the end none.
CREATE INDEX account_of_harbor ON account (id) WHERE password LIKE '$harbor-%';

-- Passwords that may not be used again.
CREATE TABLE old_password (
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    changed_at BIGINT NOT NULL,
    password   TEXT NOT NULL,
    PRIMARY KEY (account_id, changed_at)
);

-- Passwords that a user made for clients. The secret is random, so a plain hash does.
CREATE TABLE app_password (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    secret     TEXT COLLATE "C" NOT NULL UNIQUE,  -- SHA-256 in hex
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    used_at    BIGINT
);
CREATE INDEX app_password_account ON app_password (account_id);
-- Nodes know those whose tokens may still be out.
CREATE INDEX app_password_revoked ON app_password (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE robot (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        TEXT COLLATE "C" NOT NULL UNIQUE,  -- whole: robot+NAME or robot+PROJECT+NAME
    project     TEXT COLLATE "C" NOT NULL,         -- empty for one of the system
    description TEXT NOT NULL,
    policies    TEXT NOT NULL,           -- JSON as in `role`
    owner       TEXT NOT NULL,
    known_to    TEXT NOT NULL DEFAULT '[]', -- JSON: the names of those who were shown its secret, and of who knows theirs
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT,
    disabled_at BIGINT,
    valid_after BIGINT NOT NULL,
    used_at     BIGINT
);
CREATE INDEX robot_project ON robot (project);

-- Two at once while one takes over from the other.
CREATE TABLE robot_secret (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    robot_id   BIGINT NOT NULL REFERENCES robot (id) ON DELETE CASCADE,
    secret     TEXT COLLATE "C" NOT NULL UNIQUE,  -- SHA-256 in hex, or a hash of Harbor's until its first use
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX robot_secret_robot ON robot_secret (robot_id);
CREATE INDEX robot_secret_ends ON robot_secret (expires_at) WHERE expires_at IS NOT NULL;

-- Browser sessions and refresh tokens: what was proved once and is believed for a while. And second factors that wait for their first code.
CREATE TABLE session (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    secret     TEXT COLLATE "C" NOT NULL UNIQUE,  -- SHA-256 in hex
    kind       TEXT COLLATE "C" NOT NULL,         -- browser, refresh, api, enrolment
    owner      TEXT COLLATE "C" NOT NULL,         -- the user's name
    configured TEXT COLLATE "C",                  -- fingerprint of the password's hash, of a user of the configuration
    identity   TEXT NOT NULL,           -- JSON: kind, name, proof, groups
    detail     TEXT NOT NULL,           -- JSON object
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX session_expires ON session (expires_at);
CREATE INDEX session_owner ON session (owner, kind, seen_at);

-- Users of the configuration whose sessions and tokens somebody ended: they have no account that could say so.
CREATE TABLE logout (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        TEXT COLLATE "C" NOT NULL UNIQUE,
    valid_after BIGINT NOT NULL           -- tokens and sessions from before are good for nothing
);

-- Tokens of others that are good once, and were used.
CREATE TABLE spent (
    digest     TEXT PRIMARY KEY,      -- SHA-256 in hex
    expires_at BIGINT NOT NULL
);
CREATE INDEX spent_expires ON spent (expires_at);

-- Keys that tokens are signed with; the newest signs, older ones verify until `gone_at`.
CREATE TABLE signing_key (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kid        TEXT COLLATE "C" NOT NULL UNIQUE,
    sealed     BYTEA NOT NULL,    -- PKCS #8
    public     TEXT NOT NULL,     -- JWK
    created_at BIGINT NOT NULL,
    gone_at    BIGINT
);

-- The key that secrets in here are sealed under, where the configuration names none; and which keys there were.
CREATE TABLE vault_key (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kid        TEXT COLLATE "C" NOT NULL UNIQUE,
    material   BYTEA,             -- NULL where it lies elsewhere
    created_at BIGINT NOT NULL
);

-- Secrets of the configuration that are kept here: passwords for directories and other registries.
CREATE TABLE secret (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL UNIQUE,
    sealed     BYTEA NOT NULL,
    changed_at BIGINT NOT NULL
);

-- Persons in the logs: a random name that says nothing, and the key to what the logs say of them. Both go when a person is erased.
CREATE TABLE subject (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pseudonym  TEXT COLLATE "C" NOT NULL UNIQUE,
    name       TEXT COLLATE "C" UNIQUE,
    sealed     BYTEA,             -- key, under the vault's
    created_at BIGINT NOT NULL,
    erased_at  BIGINT,
    blanked_at BIGINT           -- since when no plain column of the trail says from where they called
);
-- Nodes forget those who were erased.
CREATE INDEX subject_erased ON subject (erased_at) WHERE erased_at IS NOT NULL;
