-- name: pause
INSERT INTO mashup_worker.paused_queues (name, job_types) VALUES (%(name)s, %(job_types)s)
ON CONFLICT (name) DO UPDATE SET job_types = excluded.job_types
RETURNING name, job_types, paused_at;

-- name: resume
DELETE FROM mashup_worker.paused_queues WHERE name = %(name)s
RETURNING name, job_types, paused_at;

-- name: paused
SELECT name, job_types, paused_at FROM mashup_worker.paused_queues ORDER BY name;

-- name: may_start
SELECT mashup_worker.may_start(%(job_types)s) AS allowed;

-- name: open_jobs
SELECT mashup_worker.open_jobs(%(job_types)s) AS jobs;
