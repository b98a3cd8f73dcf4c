-- What is remembered beside mail and objects: insights, hosts, probes, alerts, notices, fixes, answers of the DNS.
CREATE TABLE document (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX document_at ON document (kind, at);
