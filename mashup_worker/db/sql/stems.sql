-- name: newest
-- Page of stems, newest first. Null turns a filter off; Postgres removes it before planning.
SELECT
  page.*, m.title, l.license, l.license_class, j.input_data ->> 'audio' AS audio,
  mashup_worker.file_name(j.input_data ->> 'audio') AS file_name
FROM (
  SELECT s.* FROM mashup_worker.stem_rows() AS s
  WHERE (%(kind)s::text IS NULL OR s.kind = %(kind)s)
    AND (%(tempo_min)s::float8 IS NULL OR s.tempo_bpm >= %(tempo_min)s)
    AND (%(tempo_max)s::float8 IS NULL OR s.tempo_bpm <= %(tempo_max)s)
    AND (%(keys)s::text[] IS NULL OR s.musical_key = ANY(%(keys)s))
    AND (%(user)s::uuid IS NULL OR s.user_id = %(user)s)
    AND (NOT %(public)s OR s.is_public)
    AND (%(licenses)s::text[] IS NULL OR EXISTS (
      SELECT FROM mashup_worker.job_models AS l
      WHERE l.job_id = s.job_id
        AND (l.license = ANY(%(licenses)s) OR l.license_class = ANY(%(licenses)s))
    ))
    AND (%(words)s::text IS NULL OR s.id = ANY(
      ARRAY(SELECT w FROM mashup_worker.stems_with_words(%(words)s) AS w)
    ))
    AND (
      %(after_time)s::timestamptz IS NULL
      OR (s.created_at, s.id) < (%(after_time)s, %(after_id)s::uuid)
    )
  ORDER BY s.created_at DESC, s.id DESC LIMIT %(limit)s
) AS page
LEFT JOIN mashup_worker.mashup_rows() AS m ON m.id = page.mashup_id
LEFT JOIN public.ai_jobs AS j ON j.id = page.job_id
LEFT JOIN mashup_worker.job_models AS l ON l.job_id = page.job_id
ORDER BY page.created_at DESC, page.id DESC;

-- name: compatible
-- Page of stems of other songs, best score first, with the filters of `newest`. A stem is played at
-- the wanted tempo, or at its half or double. Stems beyond the largest change of speed are left out.
SELECT
  page.*, m.title, l.license, l.license_class, j.input_data ->> 'audio' AS audio,
  mashup_worker.file_name(j.input_data ->> 'audio') AS file_name
FROM (
  SELECT scored.*
  FROM (
    SELECT
      s.*,
      round((
        power(part.tempo_score, %(tempo_weight)s::float8)
        * power(part.key_score, %(key_weight)s::float8)
      )::numeric, 4) AS score
    FROM mashup_worker.stem_rows() AS s
    LEFT JOIN unnest(%(scored_keys)s::text[], %(key_scores)s::float8[]) AS k (key, score)
      ON k.key = s.musical_key
    CROSS JOIN LATERAL (
      SELECT least(
        abs(%(tempo)s::float8 / nullif(s.tempo_bpm, 0) - 1),
        abs(%(tempo)s / 2 / nullif(s.tempo_bpm, 0) - 1),
        abs(%(tempo)s * 2 / nullif(s.tempo_bpm, 0) - 1)
      )
    ) AS speed (change)
    CROSS JOIN LATERAL (
      SELECT
        CASE WHEN speed.change IS NULL THEN %(unknown_score)s::float8
          ELSE greatest(
            %(min_score)s::float8, sqrt(greatest(0, 1 - speed.change / %(max_change)s::float8))
          )
        END,
        coalesce(k.score, %(unknown_score)s)
    ) AS part (tempo_score, key_score)
    WHERE (%(kind)s::text IS NULL OR s.kind = %(kind)s)
      AND (%(tempo_min)s::float8 IS NULL OR s.tempo_bpm >= %(tempo_min)s)
      AND (%(tempo_max)s::float8 IS NULL OR s.tempo_bpm <= %(tempo_max)s)
      AND (%(keys)s::text[] IS NULL OR s.musical_key = ANY(%(keys)s))
      AND (%(user)s::uuid IS NULL OR s.user_id = %(user)s)
      AND (NOT %(public)s OR s.is_public)
      AND (%(licenses)s::text[] IS NULL OR EXISTS (
        SELECT FROM mashup_worker.job_models AS l
        WHERE l.job_id = s.job_id
          AND (l.license = ANY(%(licenses)s) OR l.license_class = ANY(%(licenses)s))
      ))
      AND (%(words)s::text IS NULL OR s.id = ANY(
        ARRAY(SELECT w FROM mashup_worker.stems_with_words(%(words)s) AS w)
      ))
      AND (%(of_mashup)s::uuid IS NULL OR s.mashup_id IS DISTINCT FROM %(of_mashup)s)
      AND (%(of_job)s::uuid IS NULL OR s.job_id IS DISTINCT FROM %(of_job)s)
      AND s.id <> %(reference)s
      AND (
        %(tempo)s IS NULL OR s.tempo_bpm IS NULL
        OR s.tempo_bpm BETWEEN %(tempo)s / (1 + %(max_change)s) AND %(tempo)s / (1 - %(max_change)s)
        OR s.tempo_bpm BETWEEN %(tempo)s / 2 / (1 + %(max_change)s)
          AND %(tempo)s / 2 / (1 - %(max_change)s)
        OR s.tempo_bpm BETWEEN %(tempo)s * 2 / (1 + %(max_change)s)
          AND %(tempo)s * 2 / (1 - %(max_change)s)
      )
  ) AS scored
  WHERE %(after_score)s::numeric IS NULL
    OR (scored.score, scored.id) < (%(after_score)s, %(after_id)s::uuid)
  ORDER BY scored.score DESC, scored.id DESC LIMIT %(limit)s
) AS page
LEFT JOIN mashup_worker.mashup_rows() AS m ON m.id = page.mashup_id
LEFT JOIN public.ai_jobs AS j ON j.id = page.job_id
LEFT JOIN mashup_worker.job_models AS l ON l.job_id = page.job_id
ORDER BY page.score DESC, page.id DESC;

-- name: find
-- Stem with its origin, as far as the caller may see it.
SELECT
  s.*, m.title, l.license, l.license_class, j.input_data ->> 'audio' AS audio,
  mashup_worker.file_name(j.input_data ->> 'audio') AS file_name,
  j.output_data #>> '{model,name}' AS model, j.source_sha256
FROM mashup_worker.stem_rows() AS s
LEFT JOIN mashup_worker.mashup_rows() AS m ON m.id = s.mashup_id
LEFT JOIN public.ai_jobs AS j ON j.id = s.job_id
LEFT JOIN mashup_worker.job_models AS l ON l.job_id = s.job_id
WHERE s.id = %(id)s;

-- name: facts
SELECT * FROM mashup_worker.stem_facts(%(id)s);

-- name: reference
-- Tempo and key of a stem, of the song of a mashup, or of the song of a job.
SELECT found.tempo_bpm, found.musical_key, found.mashup_id, found.job_id
FROM (
  SELECT 1 AS rank, s.* FROM mashup_worker.stem_rows() AS s WHERE s.id = %(id)s
  UNION ALL
  SELECT 2, s.* FROM mashup_worker.stem_rows() AS s WHERE s.mashup_id = %(id)s
  UNION ALL
  SELECT 3, s.* FROM mashup_worker.stem_rows() AS s WHERE s.job_id = %(id)s
) AS found
ORDER BY found.rank, found.tempo_bpm IS NULL, found.created_at DESC, found.id LIMIT 1;

-- name: analyzed
-- Tempo and key of the song of a finished job, as corrected.
SELECT
  (j.output_data #>> '{analysis,tempo_bpm}')::float8 * coalesce(c.tempo_factor, 1) AS tempo_bpm,
  coalesce(c.musical_key, j.output_data #>> '{analysis,key}') AS musical_key,
  NULL::uuid AS mashup_id, j.id AS job_id
FROM public.ai_jobs AS j
LEFT JOIN mashup_worker.song_corrections AS c ON c.job_id = j.id
WHERE j.id = %(id)s AND j.status = 'completed' AND j.output_data -> 'analysis' IS NOT NULL;

-- name: check_rows
SELECT mashup_worker.check_rows();

-- name: with_words
SELECT * FROM mashup_worker.stems_with_words(%(words)s) AS s (id);
