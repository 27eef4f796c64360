#!/bin/sh
# Run once, on an empty volume: the role that worker and mirror log in as. `mashup migrate` grants it
# what it needs.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$WORKER_PASSWORD" \
    --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE mashup_worker LOGIN PASSWORD :'password' NOSUPERUSER NOBYPASSRLS;
SQL
