-- name: claim
-- Leases due messages: the oldest of each job, at most `per_host` in flight for each host and
-- `per_owner` for each owner, so slow receivers delay no others. The hosts are found by one look-up
-- in the index for each, because one host may have very many messages; `now()` is constant within
-- a transaction, so the index finds those that are due.
WITH RECURSIVE hosts (host) AS (
  SELECT min(w.host) FROM mashup_worker.webhooks AS w WHERE w.due_at IS NOT NULL
  UNION ALL
  SELECT (
    SELECT min(w.host) FROM mashup_worker.webhooks AS w
    WHERE w.due_at IS NOT NULL AND w.host > hosts.host
  ) FROM hosts WHERE hosts.host IS NOT NULL
), in_flight AS (
  SELECT host, user_id FROM mashup_worker.webhooks
  WHERE lease_expires_at > now()
), candidates AS (
  SELECT due.id, row_number() OVER (PARTITION BY due.user_id ORDER BY due.due_at, due.position) + (
    SELECT count(*) FROM in_flight AS f WHERE f.user_id IS NOT DISTINCT FROM due.user_id
  ) AS of_owner
  FROM hosts CROSS JOIN LATERAL (
    SELECT w.id, w.user_id, w.due_at, w.position FROM mashup_worker.webhooks AS w
    WHERE w.host = hosts.host AND w.due_at <= now()
      AND NOT EXISTS (
        SELECT FROM mashup_worker.webhooks AS earlier
        WHERE earlier.job_id = w.job_id AND earlier.status = 'waiting'
          AND earlier.position < w.position
      )
    ORDER BY w.due_at, w.position
    LIMIT greatest(
      0, %(per_host)s - (SELECT count(*) FROM in_flight AS f WHERE f.host = hosts.host)
    )
  ) AS due
), claimed AS (
  SELECT w.id FROM mashup_worker.webhooks AS w JOIN candidates AS c USING (id)
  WHERE c.of_owner <= %(per_owner)s AND w.due_at <= now()
  ORDER BY w.due_at, w.position LIMIT %(limit)s
  FOR UPDATE OF w SKIP LOCKED
)
UPDATE mashup_worker.webhooks AS w SET
  tries = tries + 1, first_tried_at = coalesce(first_tried_at, clock_timestamp()),
  lease_expires_at = clock_timestamp() + make_interval(secs => %(lease_s)s),
  due_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
FROM claimed WHERE w.id = claimed.id
RETURNING w.*;

-- name: job
-- The job as it was at the time of the event.
SELECT (jsonb_populate_record(j, w.moment)).*
FROM mashup_worker.webhooks AS w JOIN public.ai_jobs AS j ON j.id = w.job_id
WHERE w.id = %(id)s;

-- name: delivered
UPDATE mashup_worker.webhooks SET
  status = 'delivered', error = NULL, due_at = NULL, lease_expires_at = NULL,
  ended_at = clock_timestamp()
WHERE id = %(id)s AND tries = %(tries)s AND status = 'waiting'
RETURNING *;

-- name: failed
-- Waits for the next try, or ends if no further try can help or the time for tries is over. Later
-- messages of the job wait as long, so `claim` does not read them in vain.
WITH own AS (
  UPDATE mashup_worker.webhooks AS w SET
    error = %(error)s, lease_expires_at = NULL, ended_at = over.at,
    status = CASE WHEN over.at IS NULL THEN 'waiting' ELSE 'dead' END,
    due_at = CASE WHEN over.at IS NULL
      THEN clock_timestamp() + make_interval(secs => %(delay_s)s) END
  FROM (
    SELECT id, CASE
      WHEN %(final)s OR first_tried_at + make_interval(secs => %(retry_s)s) <= clock_timestamp()
      THEN clock_timestamp()
    END AS at
    FROM mashup_worker.webhooks
  ) AS over
  WHERE w.id = %(id)s AND w.tries = %(tries)s AND w.status = 'waiting' AND over.id = w.id
  RETURNING w.*
), later AS (
  SELECT w.id FROM mashup_worker.webhooks AS w, own
  WHERE own.status = 'waiting' AND w.job_id = own.job_id AND w.status = 'waiting'
    AND w.position > own.position
  FOR UPDATE OF w SKIP LOCKED
), deferred AS (
  UPDATE mashup_worker.webhooks AS w SET due_at = own.due_at
  FROM later, own WHERE w.id = later.id
)
SELECT * FROM own;

-- name: retry
UPDATE mashup_worker.webhooks SET
  status = 'waiting', tries = 0, first_tried_at = NULL, ended_at = NULL, due_at = clock_timestamp()
WHERE status = 'dead' AND (%(id)s::uuid IS NULL OR id = %(id)s)
RETURNING *;

-- name: find
SELECT * FROM mashup_worker.webhooks WHERE id = %(id)s;

-- name: recent
SELECT * FROM mashup_worker.webhooks
WHERE (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(job_id)s::uuid IS NULL OR job_id = %(job_id)s)
ORDER BY position DESC LIMIT %(limit)s;

-- name: summary
SELECT
  count(*) FILTER (WHERE status = 'waiting')::integer AS waiting,
  count(*) FILTER (WHERE status = 'dead')::integer AS dead,
  coalesce(
    extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE status = 'waiting')), 0
  )::double precision AS oldest_s
FROM mashup_worker.webhooks WHERE status IN ('waiting', 'dead');

-- name: remove_delivered
DELETE FROM mashup_worker.webhooks
WHERE status = 'delivered' AND ended_at < clock_timestamp() - make_interval(secs => %(age_s)s)
RETURNING id;
