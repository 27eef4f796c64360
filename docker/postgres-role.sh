#!/bin/sh
# Create the role of worker and mirror. Postgres runs this script once, on an empty volume; `mashup
# migrate` grants the rights.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$WORKER_PASSWORD" \
    --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE mashup_worker LOGIN PASSWORD :'password' NOSUPERUSER NOBYPASSRLS;
SQL
