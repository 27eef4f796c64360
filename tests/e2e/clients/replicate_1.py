"""Separations with PyPI `replicate` 1.x; prints what came back."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import replicate  # type: ignore[import-not-found, unused-ignore]
from replicate.exceptions import ReplicateError  # type: ignore[import-not-found, unused-ignore]
from replicate.webhook import Webhooks  # type: ignore[import-not-found, unused-ignore]

HOST = os.environ["API_HOST"]
SONG, LONG_SONG = Path(os.environ["SONG"]), Path(os.environ["LONG_SONG"])
RYAN = os.environ["RYAN"]

client = replicate.Client(api_token=os.environ["API_TOKEN"], base_url=HOST)
found: dict[str, Any] = {}


def sizes(output: Any) -> dict[str, int | None]:
    return {kind: file if file is None else len(file.read()) for kind, file in output.items()}


# Run, with the song as an uploaded file.
with SONG.open("rb") as song:
    found["run"] = sizes(client.run(f"ryan5453/demucs:{RYAN}", input={"audio": song}))

# Run a model without a version, with the song as a data URL.
with SONG.open("rb") as song:
    found["data_url"] = sizes(
        client.run(
            "cjwbw/demucs",
            input={"audio": song, "stem": "vocals", "output_format": "flac"},
            file_encoding_strategy="base64",
        )
    )

# Upload, create, poll, and read the progress.
file = client.files.create(SONG)
prediction = client.predictions.create(
    version=RYAN, input={"audio": file.urls["get"], "output_format": "wav"}
)
found["created"] = prediction.status
prediction.wait()
found["waited"] = prediction.status
found["progress"] = prediction.progress.percentage
found["predict_time"] = prediction.metrics["predict_time"]
found["output"] = prediction.output

# Files.
found["file"] = [file.name, file.size, file.checksums["sha256"], client.files.get(file.id).id]
found["listed_file"] = file.id in [one.id for one in client.files.list()]
found["deleted_file"] = client.files.delete(file.id)
found["left_file"] = file.id in [one.id for one in client.files.list()]

# Cancel.
with LONG_SONG.open("rb") as song:
    long = client.predictions.create(version=RYAN, input={"audio": song})
long.cancel()
long.wait()
found["canceled"] = long.status

# Lists, models and versions.
page = client.predictions.list()
found["listed"] = [prediction.id, long.id] == [one.id for one in reversed(page.results)][-2:]
model = client.models.get("ryan5453/demucs")
found["latest"] = model.latest_version.id
found["versions"] = [one.id for one in model.versions.list()]


# Webhook.
class Receiver(BaseHTTPRequestHandler):
    """Receives a webhook, and checks its signature with the client."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            Webhooks.validate(headers=dict(self.headers), body=body, secret=secret, tolerance=60)
            found["webhook"] = [json.loads(body)["id"], json.loads(body)["status"]]
        finally:
            self.send_response(204)
            self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


secret = client.webhooks.default.secret()
server = HTTPServer(("127.0.0.1", 0), Receiver)
server.timeout = 120
with SONG.open("rb") as song:
    hooked = client.predictions.create(
        version=RYAN,
        input={"audio": song},
        webhook=f"http://127.0.0.1:{server.server_port}/hook",
        webhook_events_filter=["completed"],
    )
server.handle_request()
found["webhook"] = found["webhook"] == [hooked.id, "succeeded"]

# Errors.
try:
    replicate.Client(api_token="x", base_url=f"{HOST}/v1").predictions.list()
except ReplicateError as error:
    found["wrong_base_url"] = [error.status, error.detail]
try:
    client.run(f"ryan5453/demucs:{RYAN}", input={"audio": "https://a.test/x", "model": "unknown"})
except ReplicateError as error:
    found["unknown_model"] = [error.status, error.detail]

json.dump(found, sys.stdout)
