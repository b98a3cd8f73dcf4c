-- name: at_once
-- One of the six queries that follow, as one row of JSON.
SELECT json_group_array(json_array(message_id, n, address, orcpt, notify, attempts, not_before, accepted_at, sender,
    size, flags, envid, crc, open, spool, source))
FROM (rows_in_order LIMIT ?)

-- name: ready
SELECT q.message_id, q.n, q.address, q.orcpt, q.notify, q.attempts, q.not_before,
    m.accepted_at, m.sender, m.size, m.flags, m.envid, m.crc, m.open, m.spool, m.source
FROM queue AS q CROSS JOIN message AS m ON m.id = q.message_id
WHERE q.destination_id = ? AND q.message_id > ? AND q.not_before = 0 AND q.suspended = 0
ORDER BY q.message_id, q.n

-- name: due
SELECT q.message_id, q.n, q.address, q.orcpt, q.notify, q.attempts, q.not_before,
    m.accepted_at, m.sender, m.size, m.flags, m.envid, m.crc, m.open, m.spool, m.source
FROM queue AS q INDEXED BY queue_due CROSS JOIN message AS m ON m.id = q.message_id
WHERE q.destination_id = ? AND q.not_before > 0 AND q.not_before <= ? AND q.suspended = 0
ORDER BY q.not_before, q.message_id, q.n

-- name: due_beyond
SELECT q.message_id, q.n, q.address, q.orcpt, q.notify, q.attempts, q.not_before,
    m.accepted_at, m.sender, m.size, m.flags, m.envid, m.crc, m.open, m.spool, m.source
FROM queue AS q INDEXED BY queue_due CROSS JOIN message AS m ON m.id = q.message_id
WHERE q.destination_id = ? AND q.not_before > 0 AND q.not_before > ? AND q.suspended = 0
ORDER BY q.not_before, q.message_id, q.n

-- name: next_due
SELECT min(not_before) FROM queue INDEXED BY queue_due WHERE destination_id = ? AND not_before > 0 AND suspended = 0

-- name: expired_by_age
SELECT q.message_id, q.n, q.address, q.orcpt, q.notify, q.attempts, q.not_before,
    m.accepted_at, m.sender, m.size, m.flags, m.envid, m.crc, m.open, m.spool, m.source
FROM queue AS q CROSS JOIN message AS m ON m.id = q.message_id
WHERE q.destination_id = ? AND q.message_id < ? AND q.accepted_at <= ? AND q.expires_at IS NULL
ORDER BY q.message_id, q.n

-- name: expired_by_date
SELECT q.message_id, q.n, q.address, q.orcpt, q.notify, q.attempts, q.not_before,
    m.accepted_at, m.sender, m.size, m.flags, m.envid, m.crc, m.open, m.spool, m.source
FROM queue AS q INDEXED BY queue_expiry CROSS JOIN message AS m ON m.id = q.message_id
WHERE q.destination_id = ? AND q.expires_at IS NOT NULL AND q.expires_at <= ?
ORDER BY q.expires_at, q.message_id, q.n

-- name: notices_due
SELECT q.message_id, q.n, q.address, q.orcpt, q.notify, q.attempts, q.not_before,
    m.accepted_at, m.sender, m.size, m.flags, m.envid, m.crc, m.open, m.spool, m.source
FROM queue AS q CROSS JOIN message AS m ON m.id = q.message_id
WHERE q.destination_id = ? AND q.message_id < ? AND q.accepted_at <= ? AND q.notice_at = 0
ORDER BY q.message_id, q.n

-- name: body
SELECT data FROM body WHERE message_id = ?

-- name: bodies
-- Both aggregates see the rows in the same order, whichever it is.
SELECT json_group_array(json_array(message_id, length(data))), CAST(group_concat(data, '') AS BLOB)
FROM body WHERE message_id IN (SELECT value FROM json_each(?))

-- name: body_facts
SELECT size, crc, spool FROM message WHERE id = ? AND open > 0

-- name: counters
SELECT destination_id, bucket, count(*), sum(recipients), sum(size) FROM (
    SELECT destination_id, message_id / ? AS bucket, count(*) AS recipients, max(size) AS size
    FROM queue GROUP BY destination_id, message_id)
GROUP BY destination_id, bucket

-- name: destinations
SELECT id, kind, connector, next_hop, state, attempts, next_attempt_at, last_error, queued_since, suspended_by,
    suspended_until, suspended_reason, changed_at FROM destination ORDER BY kind, connector, next_hop

-- name: oldest
SELECT accepted_at FROM queue WHERE destination_id = ? ORDER BY message_id LIMIT 1

-- name: oldest_by_default
SELECT accepted_at FROM queue WHERE destination_id = ? AND expires_at IS NULL ORDER BY message_id LIMIT 1

-- name: first_expiry
SELECT min(expires_at) FROM queue INDEXED BY queue_expiry WHERE destination_id = ? AND expires_at IS NOT NULL

-- name: facet_domains
SELECT domain, count(*) FROM (SELECT domain FROM queue WHERE destination_id = ? ORDER BY message_id, n LIMIT ?)
GROUP BY domain ORDER BY 2 DESC, 1

-- name: facet_senders
SELECT m.sender, count(*), sum(m.size) FROM (
    SELECT DISTINCT message_id FROM (
        SELECT message_id FROM queue WHERE destination_id = ? ORDER BY message_id, n LIMIT ?)) AS q
    CROSS JOIN message AS m ON m.id = q.message_id
GROUP BY m.sender

-- name: ended_counts
SELECT day, code, smtp, class, flow_code, destination_id, count(*), sum(ended = 'returned'), max(title),
    max(message_id), min(message_id)
FROM (
    SELECT at / 86400000 AS day, code, smtp, class, flow_code, destination_id, ended, title, message_id
    FROM attempt INDEXED BY attempt_returned
    WHERE ended IN ('returned', 'failed') AND at >= :since AND at < :until ORDER BY at DESC LIMIT :limit)
GROUP BY day, code, smtp, class, flow_code, destination_id
ORDER BY day DESC, 7 DESC, code

-- name: ended_samples
SELECT at / 86400000, code, smtp, class, flow_code, destination_id, message_id
FROM attempt INDEXED BY attempt_returned
WHERE ended IN ('returned', 'failed') AND at >= :since AND at < :until ORDER BY at DESC LIMIT :samples

-- name: traffic
WITH recent AS (
    SELECT destination_id, session_id, outcome, ended, ms, at
    FROM attempt WHERE message_id >= :first ORDER BY message_id DESC LIMIT :limit),
by_session AS (
    SELECT destination_id, session_id, count(*) AS attempts, sum(ended = 'delivered') AS delivered,
        sum(outcome = 'deferred') AS deferred, sum(ended IN ('returned', 'failed')) AS failed,
        total(iif(ended = 'delivered', ms, 0)) AS ms, max(iif(ended = 'delivered', at, 0)) AS last_success
    FROM recent GROUP BY destination_id, session_id)
SELECT destination_id, coalesce(json_extract(s.data, '$.tls.version'), '') AS tls, count(*), sum(attempts),
    sum(delivered), sum(deferred), sum(failed), total(ms), max(last_success)
FROM by_session AS b LEFT JOIN session AS s ON s.id = b.session_id
GROUP BY destination_id, tls ORDER BY destination_id, tls

-- name: held_back
SELECT d.id, count(*) FROM destination AS d CROSS JOIN destination_attempt AS a
WHERE a.destination_id = d.id AND a.id >= ? GROUP BY d.id

-- name: dated
SELECT message_id / :ids_of_a_bucket, expires_at / :bucket, count(DISTINCT message_id) FROM (
    SELECT message_id, expires_at FROM queue INDEXED BY queue_expiry
    WHERE destination_id = :destination_id AND expires_at IS NOT NULL ORDER BY expires_at LIMIT :limit)
GROUP BY 1, 2

-- name: groups
SELECT domain, count(*) FROM queue AS q WHERE destination_id = :destination_id
    AND (:rerouted IS NULL
        OR EXISTS (SELECT 1 FROM rerouted AS r WHERE r.message_id = q.message_id AND r.n = q.n) = :rerouted)
GROUP BY domain ORDER BY 2 DESC, 1

-- name: queued_addresses
SELECT address, count(*) FROM queue AS q WHERE destination_id = :destination_id AND domain = :domain
    AND address > :after AND (:rerouted IS NULL
        OR EXISTS (SELECT 1 FROM rerouted AS r WHERE r.message_id = q.message_id AND r.n = q.n) = :rerouted)
GROUP BY address ORDER BY address LIMIT :limit

-- name: rerouted
SELECT r.destination_id, r.job, count(*) FROM rerouted AS r CROSS JOIN queue AS q
    ON q.destination_id = r.destination_id AND q.message_id = r.message_id AND q.n = r.n
GROUP BY r.destination_id, r.job ORDER BY r.destination_id, r.job

-- name: messages
SELECT DISTINCT q.destination_id, q.message_id
FROM queue AS q CROSS JOIN message AS m ON m.id = q.message_id
WHERE (q.destination_id, q.message_id) > (:after_destination, :after_message)
    AND q.destination_id >= :first_destination AND q.destination_id <= :last_destination
    AND (:domain = '' OR q.domain = :domain) AND (:address = '' OR q.address = :address COLLATE NOCASE)
    AND (:message_id = 0 OR q.message_id = :message_id)
    AND (:suspended IS NULL OR q.suspended = :suspended)
    AND (:older_than = 0 OR q.accepted_at < :older_than)
    AND (:sender IS NULL OR m.sender = :sender COLLATE NOCASE)
ORDER BY q.destination_id, q.message_id LIMIT :limit

-- name: message
SELECT id, accepted_at, sender, size, flags, envid, header_id, source, client, spool FROM message WHERE id = ?

-- name: rows_at
SELECT n, address, destination_id, 'queued', attempts, not_before, coalesce(expires_at, 0), suspended, 0,
    coalesce((SELECT job FROM rerouted AS r WHERE r.message_id = q.message_id AND r.n = q.n), 0)
FROM queue AS q WHERE destination_id = ? AND message_id = ? ORDER BY n

-- name: rows_of_message
-- Destinations are few, so one point look-up in each is cheaper than an index on the path of every message.
SELECT q.n, q.address, q.destination_id, 'queued', q.attempts, q.not_before, coalesce(q.expires_at, 0), q.suspended, 0,
    coalesce((SELECT job FROM rerouted AS r WHERE r.message_id = q.message_id AND r.n = q.n), 0)
FROM json_each(?) AS d CROSS JOIN queue AS q
WHERE q.destination_id = d.value AND q.message_id = ? ORDER BY q.n

-- name: ended_of_message
SELECT n, address, destination_id, ended,
    (SELECT count(*) FROM attempt AS b WHERE b.message_id = a.message_id AND b.n = a.n), 0, 0, 0, at, 0
FROM attempt AS a WHERE message_id = ? AND ended <> '' ORDER BY n

-- name: attempts_of_message
SELECT id, message_id, n, destination_id, address, at, outcome, ended, phase, reason, class, sub, flow_code, code,
    smtp, title, message, reply, server, endpoint, session_id, ms, in_doubt, evidence
FROM attempt WHERE message_id = ? ORDER BY id

-- name: attempts_between
SELECT id, 0, 0, destination_id, '', at, outcome, '', phase, reason, class, sub, flow_code, code,
    smtp, title, message, reply, server, endpoint, session_id, ms, in_doubt, evidence
FROM destination_attempt WHERE destination_id = ? AND id >= ? AND id < ? ORDER BY id

-- name: attempts_of_destination
SELECT id, 0, 0, destination_id, '', at, outcome, '', phase, reason, class, sub, flow_code, code,
    smtp, title, message, reply, server, endpoint, session_id, ms, in_doubt, evidence
FROM destination_attempt WHERE destination_id = ? ORDER BY id DESC LIMIT ?

-- name: session
SELECT data FROM session WHERE id = ?

-- name: events
SELECT message_id, id, kind, data FROM event WHERE message_id = ? ORDER BY id

-- name: trace
-- `sender_at` and `recipient_at` are patterns of a whole domain, NULL where an address is searched for.
SELECT id FROM message AS m
WHERE id >= :first AND id <= :last
    AND (:sender IS NULL OR sender = :sender COLLATE NOCASE OR sender LIKE :sender_at ESCAPE '\')
    AND (:header_id = '' OR header_id = :header_id COLLATE NOCASE)
    AND (:source = '' OR source = :source)
    AND (:recipient = ''
        OR EXISTS (SELECT 1 FROM attempt AS a WHERE a.message_id = m.id
            AND (a.address = :recipient COLLATE NOCASE OR a.address LIKE :recipient_at ESCAPE '\'))
        OR id IN (SELECT q.message_id FROM json_each(:places) AS d CROSS JOIN queue AS q
            WHERE q.destination_id = d.value AND q.message_id >= :first AND q.message_id <= :last
            AND (q.address = :recipient COLLATE NOCASE OR q.address LIKE :recipient_at ESCAPE '\')))
    AND (:destination_id = 0
        OR EXISTS (SELECT 1 FROM attempt AS a WHERE a.message_id = m.id AND a.destination_id = :destination_id)
        OR EXISTS (SELECT 1 FROM queue AS q WHERE q.destination_id = :destination_id AND q.message_id = m.id))
    AND (:state = '' OR (:state = 'queued' AND open > 0)
        OR (open < recipients AND EXISTS (SELECT 1 FROM attempt AS a WHERE a.message_id = m.id AND a.ended = :state)))
ORDER BY id DESC LIMIT :limit

-- name: trace_walk
SELECT id FROM message WHERE id >= :first AND id <= :last ORDER BY id DESC LIMIT 1 OFFSET :count

-- name: trace_ends
SELECT DISTINCT message_id FROM attempt INDEXED BY attempt_state
WHERE ended IN ('returned', 'failed', 'cancelled') AND ended = :state AND message_id >= :first AND message_id <= :last
ORDER BY message_id DESC

-- name: trace_blocks
SELECT first, last, keys FROM trace_block WHERE kind = ? AND last >= ? AND first <= ? ORDER BY first DESC

-- name: trace_ids
SELECT ids FROM trace_block WHERE kind = ? AND first = ?

-- name: trace_covered
SELECT first, last FROM trace_block WHERE kind = ?

-- name: trace_oldest
SELECT min(id) FROM message

-- name: trace_heads
SELECT id, sender, header_id FROM message WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?

-- name: trace_people
SELECT q.message_id, q.address FROM json_each(:places) AS d CROSS JOIN queue AS q
WHERE q.destination_id = d.value AND q.message_id >= :first AND q.message_id <= :last
UNION ALL
SELECT message_id, address FROM attempt WHERE message_id >= :first AND message_id <= :last

-- name: ledger
SELECT name, value FROM ledger

-- name: audit_counts
SELECT
    (SELECT count(*) FROM queue),
    (SELECT coalesce(sum(open), 0) FROM message),
    (SELECT count(*) FROM body AS b WHERE NOT EXISTS (SELECT 1 FROM message WHERE id = b.message_id AND open > 0)),
    (SELECT count(*) FROM message AS m WHERE open > 0 AND spool = 0
        AND NOT EXISTS (SELECT 1 FROM body WHERE message_id = m.id)),
    (SELECT count(*) FROM queue AS q WHERE NOT EXISTS (SELECT 1 FROM message WHERE id = q.message_id))

-- name: spooled
SELECT id FROM message WHERE spool = 1 AND open > 0

-- name: objects
SELECT kind, name, data FROM object ORDER BY kind, name

-- name: history
SELECT a.revision, a.at, a.who, a.what, h.kind, h.name, h.before, h.after
FROM audit AS a JOIN object_history AS h USING (revision)
WHERE ? = 0 OR a.revision < ? ORDER BY a.revision DESC, h.kind, h.name LIMIT ?

-- name: document
SELECT kind, key, at, data FROM document WHERE kind = ? AND key = ?

-- name: documents
SELECT kind, key, at, data FROM document INDEXED BY document_at
WHERE kind = :kind AND (at < :at OR (at = :at AND key > :key)) AND at >= :since
ORDER BY at DESC, key LIMIT :limit

-- name: documents_of
SELECT kind, key, at, data FROM document
WHERE kind = :kind AND key >= :prefix AND key < :end AND (at < :at OR (at = :at AND key > :key)) AND at >= :since
ORDER BY at DESC, key LIMIT :limit
