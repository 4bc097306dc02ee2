PRAGMA application_id = 1129663574; -- "CULV"
PRAGMA user_version = 1;

CREATE TABLE agent (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    key        BLOB NOT NULL UNIQUE,    -- Ed25519, who it is
    seal_key   BLOB NOT NULL,           -- P-256, what camera URLs are sealed to
    epoch      INTEGER NOT NULL,        -- the highest one seen
    created_s  INTEGER NOT NULL,
    seen_s     INTEGER NOT NULL,
    revoked_s  INTEGER NOT NULL,
    version    TEXT NOT NULL,
    system     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE camera (
    id           TEXT PRIMARY KEY,
    agent_id     TEXT NOT NULL REFERENCES agent (id),
    slug         TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    url_shown    TEXT NOT NULL,         -- host, port and path: the rest is only in sealed
    sealed       BLOB NOT NULL,
    sealed_sub   BLOB NOT NULL,
    is_always_on INTEGER NOT NULL,
    revision     INTEGER NOT NULL,
    created_s    INTEGER NOT NULL,
    tracks       BLOB NOT NULL
) STRICT;
CREATE INDEX camera_by_agent ON camera (agent_id, id);

CREATE TABLE token (
    id           TEXT PRIMARY KEY,
    label        TEXT NOT NULL,
    cameras      TEXT NOT NULL,
    agent_id     TEXT NOT NULL,
    protocols    TEXT NOT NULL,
    networks     TEXT NOT NULL,
    origins      TEXT NOT NULL,
    not_before_s INTEGER NOT NULL,
    expires_s    INTEGER NOT NULL,
    created_s    INTEGER NOT NULL,
    revoked_s    INTEGER NOT NULL,
    viewers_max  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE code (
    hash       BLOB PRIMARY KEY,        -- SHA-256 of the one-time code
    agent_name TEXT NOT NULL,
    expires_s  INTEGER NOT NULL,
    used_s     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What nodes cache and drop by: appended to in the transaction of the change itself.
CREATE TABLE change (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    object  INTEGER NOT NULL,           -- enum store_table
    id      TEXT NOT NULL,
    is_gone INTEGER NOT NULL
) STRICT;

CREATE TABLE usage (
    camera_id   TEXT NOT NULL,
    token_id    TEXT NOT NULL,
    protocol    TEXT NOT NULL,
    hour_s      INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    PRIMARY KEY (camera_id, token_id, protocol, hour_s)
) STRICT, WITHOUT ROWID;

-- Which batches were counted, so that a repeated one counts once.
CREATE TABLE usage_batch (
    node     TEXT NOT NULL,
    boot     INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (node, boot, sequence)
) STRICT, WITHOUT ROWID;
