"""Postgres: connections, named SQL, migrations, and the changes of a job's status."""
