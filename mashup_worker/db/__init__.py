"""Postgres: connections, named SQL, migrations, and the one way in which a job's status changes."""
