-- name: publish_stems
SELECT mashup_worker.publish_stems(%(job)s);

-- name: publish_mashup
SELECT mashup_worker.publish_mashup(%(job)s);

-- name: owns_mashup
SELECT mashup_worker.owns_mashup(%(mashup)s, %(user)s) AS owns;

-- name: readable_stem
SELECT * FROM mashup_worker.readable_stem(%(stem)s, %(user)s);

-- name: model_of_stem
SELECT * FROM mashup_worker.model_of_stem(%(stem)s);

-- name: models_of_job
SELECT model, license, license_class FROM mashup_worker.job_models WHERE job_id = %(job)s;

-- name: referenced_keys
SELECT * FROM mashup_worker.referenced_keys(%(keys)s) AS k (key);
