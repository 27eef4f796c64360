"""Storage of bytes: a folder, an S3 bucket, and safe fetching of URLs."""
