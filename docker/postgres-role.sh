#!/bin/sh
# Create the roles of worker and mirror, and of the API. Postgres runs this script once, on an empty
# volume; `mashup migrate` grants the rights.
set -eu
psql --set ON_ERROR_STOP=1 --set worker="$WORKER_PASSWORD" --set api="$API_PASSWORD" \
    --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE mashup_worker LOGIN PASSWORD :'worker' NOSUPERUSER NOBYPASSRLS;
CREATE ROLE mashup_api LOGIN PASSWORD :'api' NOSUPERUSER NOBYPASSRLS NOINHERIT;
-- As on Supabase: the API takes this role for tokens of the service, which see all rows.
CREATE ROLE service_role NOLOGIN BYPASSRLS;
SQL
