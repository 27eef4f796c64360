-- name: newest
-- Page of mashups, newest first. Null turns a filter off; Postgres removes it before planning.
SELECT m.* FROM mashup_worker.mashup_rows() AS m
WHERE (%(user)s::uuid IS NULL OR m.user_id = %(user)s)
  AND (NOT %(public)s OR m.is_public)
  AND (
    %(after_time)s::timestamptz IS NULL
    OR (m.created_at, m.id) < (%(after_time)s, %(after_id)s::uuid)
  )
ORDER BY m.created_at DESC, m.id DESC LIMIT %(limit)s;

-- name: find
SELECT m.* FROM mashup_worker.mashup_rows() AS m WHERE m.id = %(id)s;

-- name: save
SELECT * FROM public.save_mashup(%(job)s, %(title)s, %(is_public)s);

-- name: results
SELECT * FROM mashup_worker.mashup_results(%(ids)s);

-- name: creators
SELECT * FROM mashup_worker.mashup_creators(%(id)s);
