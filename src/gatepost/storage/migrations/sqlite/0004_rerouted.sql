-- Recipients that somebody sent another way, with the job that did: re-routing leaves them where they are.
CREATE TABLE rerouted (
    message_id INTEGER NOT NULL,
    n INTEGER NOT NULL,
    destination_id INTEGER NOT NULL,
    job INTEGER NOT NULL,
    PRIMARY KEY (message_id, n)
) STRICT, WITHOUT ROWID;
