-- What ended without being delivered, by message: the trace walks back over it. A delivery never touches it.
CREATE INDEX attempt_state ON attempt (ended, message_id) WHERE ended IN ('returned', 'failed', 'cancelled');
