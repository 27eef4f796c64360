-- name: page
-- Separation jobs that the caller may see, newest first, with the corrected facts of their songs.
-- A job that failed or was canceled, and was repeated since, is the song of the repetition.
SELECT
  j.id, j.status, j.progress, j.stage, j.error_code, j.error_message, j.created_at,
  j.input_data ->> 'audio' AS audio,
  mashup_worker.file_name(j.input_data ->> 'audio') AS file_name,
  j.output_data #>> '{model,name}' AS model,
  j.output_data #> '{model,license}' AS license,
  (found.analysis ->> 'duration_s')::float8 AS duration_s,
  (found.analysis ->> 'tempo_bpm')::float8 * coalesce(c.tempo_factor, 1) AS tempo_bpm,
  (found.analysis ->> 'tempo_stable')::boolean AS tempo_stable,
  coalesce(c.musical_key, found.analysis ->> 'key') AS musical_key,
  CASE WHEN c.job_id IS NOT NULL THEN jsonb_build_object(
    'tempo_factor', c.tempo_factor, 'downbeat_shift', c.downbeat_shift, 'musical_key', c.musical_key
  ) END AS correction,
  CASE WHEN %(id)s::uuid IS NOT NULL THEN found.analysis END AS analysis
FROM public.ai_jobs AS j
LEFT JOIN mashup_worker.song_corrections AS c ON c.job_id = j.id
CROSS JOIN LATERAL (
  SELECT CASE WHEN jsonb_typeof(j.output_data -> 'analysis') = 'object'
    THEN j.output_data -> 'analysis' END
) AS found (analysis)
WHERE j.job_type = 'separate'
  AND (%(id)s::uuid IS NULL OR j.id = %(id)s)
  AND (
    %(id)s::uuid IS NOT NULL OR j.status NOT IN ('failed', 'canceled')
    OR NOT EXISTS (SELECT FROM public.ai_jobs AS again WHERE again.retry_of = j.id)
  )
  AND (
    %(after_time)s::timestamptz IS NULL
    OR (j.created_at, j.id) < (%(after_time)s, %(after_id)s::uuid)
  )
ORDER BY j.created_at DESC, j.id DESC LIMIT %(limit)s;

-- name: stems
SELECT
  s.*, m.title, l.license, l.license_class, j.input_data ->> 'audio' AS audio,
  mashup_worker.file_name(j.input_data ->> 'audio') AS file_name
FROM mashup_worker.stem_rows() AS s
LEFT JOIN mashup_worker.mashup_rows() AS m ON m.id = s.mashup_id
LEFT JOIN public.ai_jobs AS j ON j.id = s.job_id
LEFT JOIN mashup_worker.job_models AS l ON l.job_id = s.job_id
WHERE s.job_id = ANY(%(jobs)s)
ORDER BY s.created_at, s.id;

-- name: correct
SELECT * FROM public.correct_song(
  %(id)s, %(tempo_factor)s, %(downbeat_shift)s, %(musical_key)s
) AS c (id);

-- name: uncorrect
SELECT * FROM public.uncorrect_song(%(id)s) AS c (id);

-- name: apply_correction
SELECT mashup_worker.apply_correction(%(job)s);

-- name: correction
SELECT tempo_factor, downbeat_shift, musical_key
FROM mashup_worker.song_corrections WHERE job_id = %(job)s;

-- name: correction_of_stem
SELECT * FROM mashup_worker.correction_of_stem(%(stem)s);
