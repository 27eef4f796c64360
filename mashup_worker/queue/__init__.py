"""Job queue: contracts of jobs, wake-ups in RQ, and the mirror of Postgres in Redis."""
