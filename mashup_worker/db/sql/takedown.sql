-- name: jobs_of_song
SELECT j.* FROM mashup_worker.jobs_of_song(%(sha256)s) AS found (id)
JOIN public.ai_jobs AS j USING (id) ORDER BY j.created_at, j.id;

-- name: jobs_of_user
SELECT j.* FROM mashup_worker.jobs_of_user(%(user)s) AS found (id)
JOIN public.ai_jobs AS j USING (id) ORDER BY j.created_at, j.id;

-- name: purge_jobs
SELECT DISTINCT id FROM mashup_worker.purge_jobs(%(jobs)s) AS touched (id);
