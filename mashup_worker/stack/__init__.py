"""Local stack: Postgres, Valkey and S3 from packages, on one machine for one user."""
