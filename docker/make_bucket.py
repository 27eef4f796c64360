"""Create the bucket of the settings unless it exists."""

from __future__ import annotations

import os
import sys

import boto3
from botocore.config import Config


def main() -> int:
    """Create the bucket; return 0 also if it exists."""
    client = boto3.client(
        "s3",
        endpoint_url=os.environ["S3_ENDPOINT_URL"],
        region_name=os.environ.get("S3_REGION", "us-east-1"),
        config=Config(s3={"addressing_style": "path"}),
    )
    bucket = os.environ["S3_BUCKET"]
    if bucket not in {one["Name"] for one in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket=bucket)
        sys.stdout.write(f"created {bucket}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
