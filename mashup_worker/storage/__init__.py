"""Where bytes come from and go to: a folder, an S3 bucket, a URL fetched safely."""
