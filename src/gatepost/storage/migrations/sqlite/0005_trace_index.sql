-- Who is in which message, for the trace: written in blocks beside the mail, so that accepting one costs nothing.
-- A block covers all messages from `first` to `last`; `keys` are sorted hashes (32 bits), `ids` the message of each (64).
CREATE TABLE trace_block (
    kind INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    keys BLOB NOT NULL,
    ids BLOB NOT NULL,
    PRIMARY KEY (kind, first)
) STRICT, WITHOUT ROWID;

-- What ended without being delivered, by message: the trace walks back over it. A delivery never touches it.
CREATE INDEX attempt_state ON attempt (ended, message_id) WHERE ended IN ('returned', 'failed', 'cancelled');
