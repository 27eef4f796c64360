"""A backend of the service, which uses SQL, S3 and HTTP only."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import psycopg
from botocore.config import Config
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from rich.console import Console

SAMPLES = Path(__file__).parent
OWN_SONG = "when-the-night-falls"
CREATOR_SONGS = ("hold-on-to-the-light", "slow-it-down")
"""Songs of another creator, whose stems are public."""

_CREATOR = "00000000-0000-4000-8000-000000000002"
_USER = """
WITH created AS (INSERT INTO profiles (id) VALUES (%s) ON CONFLICT DO NOTHING)
INSERT INTO subscriptions (user_id, tier) SELECT %s, 'studio'
WHERE NOT EXISTS (SELECT FROM subscriptions WHERE user_id = %s) RETURNING id
"""
"""Creates a user, whose tier has no limits."""

_MASHUP = "INSERT INTO mashups (user_id, title, is_public) VALUES (%s, %s, true) RETURNING id"
_ENDED = ("completed", "failed", "canceled")

Row = dict[str, Any]


class Backend:
    """Client of the service in the environment that `mashup up` gives to its command.

    Attributes:
        user: user who logs in to the studio.
        creator: another user.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._database = psycopg.connect(
            os.environ["DATABASE_URL"], autocommit=True, row_factory=dict_row
        )
        self._s3 = boto3.client(
            "s3",
            endpoint_url=os.environ["S3_ENDPOINT_URL"],
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )
        self.user = os.environ.get("MASHUP_USER_ID") or str(uuid4())
        self.creator = _CREATOR
        for user in (self.user, self.creator):
            self.sql(_USER, user, user, user)

    def sql(self, statement: str, *values: Any) -> list[Row]:
        """Return the rows of a statement."""
        return self._database.execute(statement, values).fetchall()

    def api(self, path: str, document: Row | None = None) -> Any:
        """Return the document of a call of the HTTP API for the user."""
        request = urllib.request.Request(
            os.environ["MASHUP_API_URL"] + path,
            None if document is None else json.dumps(document).encode(),
            {
                "Authorization": f"Bearer {os.environ['MASHUP_API_TOKEN']}",
                "Mashup-User": self.user,
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def insert(self, user: str, job_type: str, document: Row) -> Any:
        """Return the id of a new job."""
        rows = self.sql(
            "INSERT INTO ai_jobs (user_id, job_type, input_data) VALUES (%s, %s, %s) RETURNING id",
            user,
            job_type,
            Jsonb(document),
        )
        return rows[0]["id"]

    def completed(self, job: Any) -> Row:
        """Return the row of a job after its end."""
        while True:
            (row,) = self.sql("SELECT * FROM ai_jobs WHERE id = %s", job)
            if row["status"] in _ENDED:
                break
            time.sleep(0.1)
        if row["status"] != "completed":
            raise SystemExit(f"{row['job_type']} {row['status']}: {row['error_message']}")
        waited_s = (row["started_at"] - row["created_at"]).total_seconds()
        took_s = (row["completed_at"] - row["started_at"]).total_seconds()
        self._console.print(
            f"{row['job_type']:10}{job}  waited {waited_s:.1f} s, took {took_s:.1f} s"
        )
        return row

    def download(self, key: str, path: Path) -> None:
        """Copy an object of the store to a file, and print its path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._s3.download_file(os.environ["S3_BUCKET"], key, str(path))
        print(path.resolve())

    def separate_samples(self, model: str) -> dict[str, Row]:
        """Separate the sample songs that their users lack; return the job's row of each song.

        The stems of the creator become public.
        """
        rows = dict[str, Row]()
        # The creator's first: a user with a song is one for whom all of this was done.
        for songs in (CREATOR_SONGS, (OWN_SONG,)):
            jobs = {song: self._separation(song, model) for song in songs}
            rows |= {song: self.completed(job) for song, job in jobs.items()}
            self.sql(
                "UPDATE stems SET is_public = true WHERE user_id = %s RETURNING id", self.creator
            )
        return rows

    def _separation(self, song: str, model: str) -> Any:
        user = self.user if song == OWN_SONG else self.creator
        key = f"uploads/{user}/{title_of(song)}.flac"
        rows = self.sql(
            "SELECT id FROM ai_jobs WHERE user_id = %s AND status <> ALL('{failed,canceled}')"
            " AND input_data @> %s ORDER BY created_at LIMIT 1",
            user,
            Jsonb({"audio": key, "model": model}),
        )
        if rows:
            return rows[0]["id"]
        with (SAMPLES / song / "mix.flac").open("rb") as file:
            self._s3.put_object(Bucket=os.environ["S3_BUCKET"], Key=key, Body=file)
        document = {"audio": key, "model": model}
        if user != self.user:  # others see the title of a stem's mashup, and not of its file
            (mashup,) = self.sql(_MASHUP, user, title_of(song))
            document["mashup_id"] = str(mashup["id"])
        return self.insert(user, "separate", document)


def title_of(song: str) -> str:
    """Return the title of a sample song."""
    truth = json.loads((SAMPLES / song / "truth.json").read_text(encoding="utf-8"))
    title: str = truth["title"]
    return title
