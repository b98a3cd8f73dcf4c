-- What ended without being delivered, by time: a delivery never touches it.
CREATE INDEX attempt_returned ON attempt (at) WHERE ended IN ('returned', 'failed');
