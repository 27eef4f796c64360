"""Postgres, Valkey and S3 on this machine, from packages, for one person's use."""
