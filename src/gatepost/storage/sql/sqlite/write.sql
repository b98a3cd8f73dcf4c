-- Temporary views of the write connection: one row says all that is to happen, and their triggers do it. So a batch
-- is one step for each kind, and the interpreter lock is handed around once for it. Rows of NULL only fill up.

-- name: accepting
CREATE TEMP VIEW accepting (id, accepted_at, sender, size, flags, envid, header_id, source, client, recipients, open,
    crc, spool, destination_id, n, address, domain, orcpt, notify)
AS VALUES (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL)

-- name: accept_trigger
CREATE TEMP TRIGGER accept INSTEAD OF INSERT ON accepting WHEN NEW.id IS NOT NULL BEGIN
    INSERT INTO message (id, accepted_at, sender, size, flags, envid, header_id, source, client, recipients, open,
        crc, spool) VALUES (NEW.id, NEW.accepted_at, NEW.sender, NEW.size, NEW.flags, NEW.envid, NEW.header_id,
        NEW.source, NEW.client, NEW.recipients, NEW.open, NEW.crc, NEW.spool);
    INSERT INTO queue (destination_id, message_id, n, address, domain, orcpt, notify, size, attempts, not_before,
        accepted_at, expires_at, notice_at, suspended) VALUES (NEW.destination_id, NEW.id, NEW.n, NEW.address,
        NEW.domain, NEW.orcpt, NEW.notify, NEW.size, 0, 0, NEW.accepted_at, NULL, 0, 0);
END

-- name: accept
INSERT INTO accepting VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: accept_body
INSERT INTO body (message_id, data) VALUES (?, ?)

-- name: accept_recipient
INSERT INTO queue (destination_id, message_id, n, address, domain, orcpt, notify, size, attempts, not_before,
    accepted_at, expires_at, notice_at, suspended)
SELECT column1, column2, column3, column4, column5, column6, column7, column8, 0, 0, column9, NULL, 0, 0
FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)) WHERE column1 IS NOT NULL

-- name: find_rows
-- One row of JSON: every row that sqlite3_step returns would hand the interpreter lock around once more.
SELECT json_group_array(json_array(q.destination_id, q.message_id, q.n, q.address, q.size, m.open, m.spool))
FROM queue AS q CROSS JOIN message AS m ON m.id = q.message_id
WHERE (q.destination_id, q.message_id, q.n) IN (VALUES (?, ?, ?))

-- name: ending
CREATE TEMP VIEW ending (closes, message_id, n, id, destination_id, address, at, outcome, ended, phase, reason, class,
    sub, flow_code, code, smtp, title, message, reply, server, endpoint, session_id, ms, in_doubt, evidence)
AS VALUES (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL)

-- name: end_trigger
CREATE TEMP TRIGGER end_recipient INSTEAD OF INSERT ON ending WHEN NEW.id IS NOT NULL BEGIN
    DELETE FROM queue WHERE destination_id = NEW.destination_id AND message_id = NEW.message_id AND n = NEW.n;
    INSERT INTO attempt (message_id, n, id, destination_id, address, at, outcome, ended, phase, reason, class, sub,
        flow_code, code, smtp, title, message, reply, server, endpoint, session_id, ms, in_doubt, evidence)
    VALUES (NEW.message_id, NEW.n, NEW.id, NEW.destination_id, NEW.address, NEW.at, NEW.outcome, NEW.ended, NEW.phase,
        NEW.reason, NEW.class, NEW.sub, NEW.flow_code, NEW.code, NEW.smtp, NEW.title, NEW.message, NEW.reply,
        NEW.server, NEW.endpoint, NEW.session_id, NEW.ms, NEW.in_doubt, NEW.evidence);
    UPDATE message SET open = max(open - 1, 0) WHERE id = NEW.message_id;
    DELETE FROM body WHERE NEW.closes AND message_id = NEW.message_id;
END

-- name: end
INSERT INTO ending VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: delivering
CREATE TEMP VIEW delivering (closes, message_id, n, id, destination_id, address, at, code, smtp, reply, server, endpoint,
    session_id, ms)
AS VALUES (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)

-- name: deliver_trigger
CREATE TEMP TRIGGER deliver INSTEAD OF INSERT ON delivering WHEN NEW.id IS NOT NULL BEGIN
    DELETE FROM queue WHERE destination_id = NEW.destination_id AND message_id = NEW.message_id AND n = NEW.n;
    INSERT INTO attempt (message_id, n, id, destination_id, address, at, outcome, ended, phase, reason, class, sub,
        flow_code, code, smtp, title, message, reply, server, endpoint, session_id, ms, in_doubt, evidence)
    VALUES (NEW.message_id, NEW.n, NEW.id, NEW.destination_id, NEW.address, NEW.at, 'delivered', 'delivered', '', '',
        'delivered', '', '', NEW.code, NEW.smtp, '', '', NEW.reply, NEW.server, NEW.endpoint, NEW.session_id, NEW.ms,
        0, NULL);
    UPDATE message SET open = max(open - 1, 0) WHERE id = NEW.message_id;
    DELETE FROM body WHERE NEW.closes AND message_id = NEW.message_id;
END

-- name: deliver
INSERT INTO delivering VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: closing
CREATE TEMP VIEW closing (message_id, n, id, destination_id, at, code, smtp, reply, server, endpoint, session_id, ms)
AS VALUES (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)

-- name: close_trigger
-- `changes()` is the number of rows of the statement before it in the trigger: what is not queued any more ends nothing.
CREATE TEMP TRIGGER close_message INSTEAD OF INSERT ON closing WHEN NEW.id IS NOT NULL BEGIN
    INSERT INTO attempt (message_id, n, id, destination_id, address, at, outcome, ended, phase, reason, class, sub,
        flow_code, code, smtp, title, message, reply, server, endpoint, session_id, ms, in_doubt, evidence)
    SELECT NEW.message_id, NEW.n, NEW.id, NEW.destination_id, address, NEW.at, 'delivered', 'delivered', '', '',
        'delivered', '', '', NEW.code, NEW.smtp, '', '', NEW.reply, NEW.server, NEW.endpoint, NEW.session_id, NEW.ms,
        0, NULL
    FROM queue WHERE destination_id = NEW.destination_id AND message_id = NEW.message_id AND n = NEW.n;
    SELECT not_queued(NEW.message_id, NEW.n, NEW.destination_id) WHERE changes() = 0;
    DELETE FROM queue WHERE destination_id = NEW.destination_id AND message_id = NEW.message_id AND n = NEW.n;
    UPDATE message SET open = max(open - 1, 0) WHERE changes() > 0 AND id = NEW.message_id;
    DELETE FROM body WHERE changes() > 0 AND message_id = NEW.message_id
        AND (SELECT open FROM message WHERE id = NEW.message_id) = 0;
END

-- name: close
INSERT INTO closing VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: still_there
SELECT 1 FROM queue WHERE destination_id = ? AND message_id = ? LIMIT 1

-- name: defer_row
UPDATE queue SET attempts = attempts + 1, not_before = ?
WHERE destination_id = ? AND message_id = ? AND n = ? RETURNING address

-- name: insert_attempt
INSERT INTO attempt (message_id, n, id, destination_id, address, at, outcome, ended, phase, reason, class, sub,
    flow_code, code, smtp, title, message, reply, server, endpoint, session_id, ms, in_doubt, evidence)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: insert_destination_attempt
INSERT INTO destination_attempt (destination_id, id, at, outcome, phase, reason, class, sub, flow_code, code, smtp,
    title, message, reply, server, endpoint, session_id, ms, in_doubt, evidence)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: address_of
SELECT address FROM queue WHERE destination_id = ? AND message_id = ? AND n = ?

-- name: put_session
INSERT INTO session (id, data) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data

-- name: put_destination
INSERT INTO destination (id, kind, connector, next_hop, state, attempts, next_attempt_at, last_error, queued_since,
    suspended_by, suspended_until, suspended_reason, changed_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
    next_attempt_at = excluded.next_attempt_at, last_error = excluded.last_error,
    queued_since = excluded.queued_since, suspended_by = excluded.suspended_by,
    suspended_until = excluded.suspended_until, suspended_reason = excluded.suspended_reason,
    changed_at = excluded.changed_at

-- name: insert_event
INSERT OR IGNORE INTO event (message_id, id, kind, data) VALUES (?, ?, ?, ?)

-- name: update_rows
UPDATE queue SET
    suspended = coalesce(:suspended, suspended),
    expires_at = CASE WHEN :expires_at IS NULL THEN expires_at ELSE nullif(:expires_at, 0) END,
    not_before = coalesce(:not_before, not_before),
    notice_at = coalesce(:noticed_at, notice_at)
WHERE destination_id = :destination_id AND message_id = :message_id AND (:n = 0 OR n = :n)

-- name: ledger_add
UPDATE ledger SET value = value + CASE name
    WHEN 'accepted' THEN ? WHEN 'delivered' THEN ? WHEN 'returned' THEN ? WHEN 'cancelled' THEN ? ELSE ? END

-- name: move_pick
CREATE TEMP TABLE moving AS
SELECT message_id, n, size,
    EXISTS (SELECT 1 FROM queue AS t WHERE t.destination_id = :target AND t.message_id = q.message_id) AS known
FROM queue AS q
WHERE destination_id = :source AND message_id >= :message_id AND message_id <= :last
    AND (:domain = '' OR domain = :domain) AND (:address = '' OR address = :address)
    AND (:addresses = '' OR address IN (SELECT value FROM json_each(:addresses)))
    AND message_id NOT IN (SELECT value FROM json_each(:claimed))
    AND (:holds <> 0 OR NOT EXISTS (SELECT 1 FROM rerouted AS r WHERE r.message_id = q.message_id AND r.n = q.n))
ORDER BY message_id, n LIMIT :limit

-- name: move_hold
INSERT INTO rerouted (message_id, n, destination_id, job)
SELECT message_id, n, :target, :holds FROM temp.moving WHERE true
ON CONFLICT (message_id, n) DO UPDATE SET destination_id = excluded.destination_id, job = excluded.job

-- name: move_let_go
DELETE FROM rerouted WHERE (message_id, n) IN (SELECT message_id, n FROM temp.moving)

-- name: move_insert
INSERT INTO queue
SELECT :target, message_id, n, address, domain, orcpt, notify, size, attempts, not_before, accepted_at, expires_at,
    notice_at, suspended
FROM queue WHERE destination_id = :source AND (message_id, n) IN (SELECT message_id, n FROM temp.moving)

-- name: move_delete
DELETE FROM queue WHERE destination_id = :source AND (message_id, n) IN (SELECT message_id, n FROM temp.moving)

-- name: move_event
INSERT OR IGNORE INTO event (message_id, id, kind, data)
SELECT DISTINCT message_id, :id, 'moved', json_object('source', :source, 'target', :target) FROM temp.moving

-- name: move_counts
SELECT bucket, sum(recipients), sum(came), sum(came * size), sum(went), sum(went * size) FROM (
    SELECT message_id / :ids_of_a_bucket AS bucket, count(*) AS recipients, max(size) AS size, NOT max(known) AS came,
        NOT EXISTS (SELECT 1 FROM queue AS q WHERE q.destination_id = :source AND q.message_id = m.message_id) AS went
    FROM temp.moving AS m GROUP BY message_id)
GROUP BY bucket

-- name: move_done
DROP TABLE IF EXISTS temp.moving

-- name: revision
SELECT coalesce(max(revision), 0) FROM audit

-- name: object_data
SELECT data FROM object WHERE kind = ? AND name = ?

-- name: put_object
INSERT INTO object (kind, name, data, revision) VALUES (?, ?, ?, ?)
ON CONFLICT (kind, name) DO UPDATE SET data = excluded.data, revision = excluded.revision

-- name: delete_object
DELETE FROM object WHERE kind = ? AND name = ?

-- name: insert_history
INSERT INTO object_history (revision, kind, name, before, after) VALUES (?, ?, ?, ?, ?)

-- name: insert_audit
INSERT INTO audit (revision, at, who, what) VALUES (?, ?, ?, ?)

-- name: prune_pick
SELECT json_group_array(id) FROM (SELECT id FROM message WHERE id > ? AND id < ? AND open = 0 ORDER BY id LIMIT ?)

-- name: prune_messages
DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))

-- name: prune_attempts
DELETE FROM attempt WHERE message_id IN (SELECT value FROM json_each(?))

-- name: prune_rerouted
DELETE FROM rerouted WHERE message_id IN (SELECT value FROM json_each(?))

-- name: prune_events
DELETE FROM event WHERE message_id IN (SELECT value FROM json_each(?))

-- name: prune_gateway_events
DELETE FROM event WHERE message_id = 0 AND id < ?

-- name: prune_destination_attempts
DELETE FROM destination_attempt WHERE id < ? AND destination_id NOT IN (SELECT DISTINCT destination_id FROM queue)

-- name: prune_sessions
DELETE FROM session WHERE id < ? AND id < coalesce((SELECT min(id) FROM message WHERE open > 0), ?)

-- name: prune_history
DELETE FROM object_history WHERE revision IN (SELECT revision FROM audit WHERE at < ?)

-- name: prune_audit
DELETE FROM audit WHERE at < ? AND revision < (SELECT max(revision) FROM audit)

-- name: put_document
INSERT INTO document (kind, key, at, data) VALUES (?, ?, ?, ?)
ON CONFLICT (kind, key) DO UPDATE SET at = excluded.at, data = excluded.data

-- name: delete_document
DELETE FROM document WHERE kind = ? AND key = ?

-- name: forget_documents
DELETE FROM document WHERE kind = ? AND key IN (SELECT key FROM document WHERE kind = ? AND at < ? ORDER BY at LIMIT ?)

-- name: add_trace_block
INSERT INTO trace_block (kind, first, last, keys, ids) VALUES (?, ?, ?, ?, ?)

-- name: drop_trace_block
DELETE FROM trace_block WHERE first = ?
