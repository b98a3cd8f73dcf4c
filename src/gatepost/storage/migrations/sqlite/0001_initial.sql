-- Live recipients, clustered so that claiming is a range scan and settling a point delete.
CREATE TABLE queue (
    destination_id INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    n INTEGER NOT NULL,
    address TEXT NOT NULL,
    domain TEXT NOT NULL,
    orcpt TEXT NOT NULL,
    notify INTEGER NOT NULL,
    size INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    expires_at INTEGER,
    notice_at INTEGER NOT NULL,
    suspended INTEGER NOT NULL,
    PRIMARY KEY (destination_id, message_id, n)
) STRICT, WITHOUT ROWID;

-- Partial: a message that goes out at once never touches these.
CREATE INDEX queue_due ON queue (destination_id, not_before) WHERE not_before > 0;
CREATE INDEX queue_expiry ON queue (destination_id, expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    accepted_at INTEGER NOT NULL,
    sender TEXT NOT NULL,
    size INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    envid TEXT NOT NULL,
    header_id TEXT NOT NULL,
    source TEXT NOT NULL,
    client TEXT NOT NULL,
    recipients INTEGER NOT NULL,
    open INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    spool INTEGER NOT NULL
) STRICT;

CREATE TABLE body (
    message_id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE destination (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    connector TEXT NOT NULL,
    next_hop TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    last_error TEXT,
    queued_since INTEGER NOT NULL,
    suspended_by TEXT NOT NULL,
    suspended_until INTEGER NOT NULL,
    suspended_reason TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE attempt (
    message_id INTEGER NOT NULL,
    n INTEGER NOT NULL,
    id INTEGER NOT NULL,
    destination_id INTEGER NOT NULL,
    address TEXT NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    ended TEXT NOT NULL,
    phase TEXT NOT NULL,
    reason TEXT NOT NULL,
    class TEXT NOT NULL,
    sub TEXT NOT NULL,
    flow_code TEXT NOT NULL,
    code TEXT NOT NULL,
    smtp INTEGER NOT NULL,
    title TEXT NOT NULL,
    message TEXT NOT NULL,
    reply TEXT NOT NULL,
    server TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    session_id INTEGER NOT NULL,
    ms REAL NOT NULL,
    in_doubt INTEGER NOT NULL,
    evidence TEXT,
    PRIMARY KEY (message_id, n, id)
) STRICT, WITHOUT ROWID;

-- What concerned a whole destination is kept once, however many messages waited there.
CREATE TABLE destination_attempt (
    destination_id INTEGER NOT NULL,
    id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    phase TEXT NOT NULL,
    reason TEXT NOT NULL,
    class TEXT NOT NULL,
    sub TEXT NOT NULL,
    flow_code TEXT NOT NULL,
    code TEXT NOT NULL,
    smtp INTEGER NOT NULL,
    title TEXT NOT NULL,
    message TEXT NOT NULL,
    reply TEXT NOT NULL,
    server TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    session_id INTEGER NOT NULL,
    ms REAL NOT NULL,
    in_doubt INTEGER NOT NULL,
    evidence TEXT,
    PRIMARY KEY (destination_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    data TEXT NOT NULL
) STRICT;

CREATE TABLE event (
    message_id INTEGER NOT NULL,
    id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (message_id, id, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE object (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    revision INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL
) STRICT;

CREATE TABLE object_history (
    revision INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    before TEXT,
    after TEXT,
    PRIMARY KEY (revision, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO ledger VALUES ('accepted', 0), ('delivered', 0), ('returned', 0), ('cancelled', 0), ('failed', 0);
