"""The whole loop through the job queue, as a backend drives it: upload, separate, mash up, master.

`make demo` runs it inside `mashup up --run`, which puts the service's settings into its
environment. Only SQL, S3 and URLs are used here, and nothing of the package that does the work.
"""

from __future__ import annotations

import argparse
import os
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import psycopg
from botocore.config import Config
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from rich.console import Console

from samples.measurements import measurement_table

if TYPE_CHECKING:
    from rich.table import Table

SAMPLES = Path(__file__).parent
SONGS = ("hold-on-to-the-light", "when-the-night-falls")
SINGER, HOST = SONGS
ENDED = ("completed", "failed", "canceled")

Row = dict[str, Any]


class Backend:
    """A backend with a user of its own."""

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
        self.user = self.sql("INSERT INTO profiles DEFAULT VALUES RETURNING id")[0]["id"]
        self.sql(
            "INSERT INTO subscriptions (user_id, tier) VALUES (%s, 'studio') RETURNING id",
            self.user,
        )

    def sql(self, statement: str, *values: Any) -> list[Row]:
        """The rows of a statement."""
        return self._database.execute(statement, values).fetchall()

    def upload(self, song: str) -> str:
        """Put a sample song into the store; its key."""
        key = f"uploads/{self.user}/{song}.flac"
        with (SAMPLES / song / "mix.flac").open("rb") as file:
            self._s3.put_object(Bucket=os.environ["S3_BUCKET"], Key=key, Body=file)
        return key

    def mashup(self, title: str) -> Any:
        """A new mashup of the user; its id."""
        rows = self.sql(
            "INSERT INTO mashups (user_id, title) VALUES (%s, %s) RETURNING id", self.user, title
        )
        return rows[0]["id"]

    def insert(self, job_type: str, document: Row) -> Any:
        """A new job; its id."""
        rows = self.sql(
            "INSERT INTO ai_jobs (user_id, job_type, input_data) VALUES (%s, %s, %s) RETURNING id",
            self.user,
            job_type,
            Jsonb(document),
        )
        return rows[0]["id"]

    def result(self, job: Any) -> Row:
        """The output of a job, once it has completed."""
        while True:
            (row,) = self.sql("SELECT * FROM ai_jobs WHERE id = %s", job)
            if row["status"] in ENDED:
                break
            time.sleep(0.1)
        if row["status"] != "completed":
            raise SystemExit(f"{row['job_type']} {row['status']}: {row['error_message']}")
        waited_s = (row["started_at"] - row["created_at"]).total_seconds()
        took_s = (row["completed_at"] - row["started_at"]).total_seconds()
        self._console.print(
            f"{row['job_type']:10}{job}  waited {waited_s:.1f} s, took {took_s:.1f} s"
        )
        output: Row = row["output_data"]
        return output


def main() -> None:
    """Run the loop, print where everything is, and keep the mashup."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="lite")
    parser.add_argument("--output-dir", type=Path, default=Path("demo-output"))
    arguments = parser.parse_args()
    console = Console(width=None if os.isatty(1) else 100, highlight=False)
    backend = Backend(console)

    jobs = {}
    for song in SONGS:
        document = {
            "audio": backend.upload(song),
            "model": arguments.model,
            "mashup_id": str(backend.mashup(song)),
        }
        jobs[song] = backend.insert("separate", document)
    separated = {song: backend.result(job) for song, job in jobs.items()}
    mashup = backend.insert("mashup", {"stems": chosen(backend, jobs)})
    mixed = backend.result(mashup)
    saved = backend.mashup(f"{SINGER} over {HOST}")
    (credit,) = backend.sql("SELECT link_stems(%s, %s) AS stems", saved, mashup)
    mastered = backend.result(
        backend.insert("master", {"audio": mixed["audio"]["key"], "loudness_lufs": -16})
    )
    console.print(report_table(mixed))
    console.print(f"Saved as mashup {saved}, {credit['stems']} stems credited to their creators")
    stems = [stem for output in separated.values() for stem in output["stems"]]
    console.print("Objects, each with a link that works while the service runs:")
    for file in (*stems, mixed["audio"], mastered["audio"]):
        print(file["key"])
    target = arguments.output_dir / "service-mashup.mp3"
    target.parent.mkdir(parents=True, exist_ok=True)
    with urllib.request.urlopen(mixed["audio"]["url"]) as answer:
        target.write_bytes(answer.read())
    console.print("The mashup, downloaded by its link:")
    print(target.resolve())


def chosen(backend: Backend, jobs: dict[str, Any]) -> list[Row]:
    """One song's voice over what plays in the other, as stems of the registry; saved at once."""
    rows = backend.sql(
        "SELECT id, kind, job_id FROM stems "
        "WHERE (job_id = %s) = (kind = 'vocals') AND job_id = ANY(%s)",
        jobs[SINGER],
        list(jobs.values()),
    )
    songs = {job: song for song, job in jobs.items()}
    return [
        {"stem_id": str(row["id"]), "kind": row["kind"], "song": songs[row["job_id"]]}
        for row in rows
    ]


def report_table(mixed: Row) -> Table:
    """Return the measurements of the mashup beside their limits."""
    plan = mixed["plan"]
    title = f"{plan['vibe']}, {plan['grid']['tempo_bpm']:.2f} BPM, {plan['key']}"
    return measurement_table(title, mixed["report"]["measurements"])


if __name__ == "__main__":
    main()
