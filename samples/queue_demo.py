"""The whole loop through the job queue, as a backend drives it: upload, separate, mash up, master.

`make demo` runs it inside `mashup up --run`, which puts the service's settings into its
environment. On a terminal it then prints a link to the studio, and keeps the service running.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from samples.backend import OWN_SONG, Backend, title_of
from samples.measurements import measurement_table

if TYPE_CHECKING:
    from rich.table import Table

    from samples.backend import Row

COMMAND = Path(sys.executable).with_name("mashup")
SINGER = "hold-on-to-the-light"


def main() -> None:
    """Run the loop, print its results, and wait on a terminal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="lite")
    parser.add_argument("--output-dir", type=Path, default=Path("demo-output"))
    parser.add_argument("--no-wait", action="store_true", help="end when everything is made")
    arguments = parser.parse_args()
    console = Console(width=None if os.isatty(1) else 100, highlight=False)
    backend = Backend(console)

    separated = backend.separate_samples(arguments.model)
    mashup = backend.completed(
        backend.insert(backend.user, "mashup", {"stems": chosen(backend, separated)})
    )
    mixed = mashup["output_data"]
    title = f"{title_of(SINGER)} over {title_of(OWN_SONG)}"
    saved = backend.api("/api/mashups", {"job_id": str(mashup["id"]), "title": title})
    loud = {"audio": mixed["audio"]["key"], "loudness_lufs": -16}
    mastered = backend.completed(backend.insert(backend.user, "master", loud))
    console.print(report_table(mixed))
    console.print(f"Saved as {title!r}, with the shares of the creators of its stems:")
    for credit in backend.api(f"/api/mashups/{saved['id']}/credits")["credits"]:
        who = "you" if credit["user_id"] == backend.user else "the other creator"
        console.print(f"  {credit['share'] / 100:.0f} % for {who}, {credit['stems']} stems")
    console.print("Files, copied from the service's store:")
    folder = arguments.output_dir / "service-files"
    for song, row in separated.items():
        for stem in row["output_data"]["stems"]:
            backend.download(stem["key"], folder / song / f"{stem['kind']}.{stem['format']}")
    for name, output in {"mashup": mixed, "mashup-16-lufs": mastered["output_data"]}.items():
        backend.download(output["audio"]["key"], folder / f"{name}.{output['audio']['format']}")
    if arguments.no_wait or not (os.isatty(0) and os.isatty(1)):
        data = arguments.output_dir / "service"
        print(f"To open them in the studio: {COMMAND} up --data {data} --open")
    else:
        wait(backend.user)


def wait(user: str) -> None:
    """Print links to the studio until Ctrl-C."""
    link = [sys.executable, "-m", "mashup_worker", "studio-link", "--operator", "--user", user]
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            print(
                "\nOpen the studio; the link logs one browser in, within 15 minutes:\n", flush=True
            )
            subprocess.run(link, check=True)
            print("\nEnter prints another link. Ctrl-C stops the service.", flush=True)
            if not sys.stdin.readline():
                return


def chosen(backend: Backend, separated: dict[str, Row]) -> list[Row]:
    """Return the voice of the other creator's song over what plays in the own one."""
    jobs = {song: separated[song]["id"] for song in (SINGER, OWN_SONG)}
    rows = backend.sql(
        "SELECT id, kind, job_id FROM stems "
        "WHERE (job_id = %s) = (kind = 'vocals') AND job_id = ANY(%s)",
        jobs[SINGER],
        [*jobs.values()],
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
