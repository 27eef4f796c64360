"""The queue: contracts of jobs, doorbells in Redis, and the mirror between Postgres and Redis."""
