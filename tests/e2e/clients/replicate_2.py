"""Separations with PyPI `replicate` 2.x; prints what came back."""

import hmac
import json
import os
import sys
from base64 import b64decode, b64encode
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import replicate  # type: ignore[import-not-found, unused-ignore]

HOST = os.environ["API_HOST"]
SONG, LONG_SONG = Path(os.environ["SONG"]), Path(os.environ["LONG_SONG"])
RYAN = os.environ["RYAN"]

client = replicate.Replicate(bearer_token=os.environ["API_TOKEN"], base_url=f"{HOST}/v1")
found: dict[str, Any] = {}


def sizes(output: Any) -> dict[str, int | None]:
    return {kind: file if file is None else len(file.read()) for kind, file in output.items()}


class Receiver(BaseHTTPRequestHandler):
    """Receives a webhook, and checks its signature by the specification Standard Webhooks."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode()
        digest = hmac.digest(b64decode(secret.removeprefix("whsec_")), signed + body, "sha256")
        if self.headers["webhook-signature"] == f"v1,{b64encode(digest).decode()}":
            found["webhook"] = [json.loads(body)["id"], json.loads(body)["status"]]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


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

# Upload, create, poll.
with SONG.open("rb") as song:
    file = client.files.create(content=song, filename="song.wav", type="audio/wav")
prediction = client.predictions.create(
    version=RYAN, input={"audio": file.urls.get, "output_format": "wav"}, cancel_after="10m"
)
found["created"] = prediction.status
found["deadline"] = prediction.deadline is not None
prediction = client.predictions.wait(prediction.id)
found["waited"] = prediction.status
found["predict_time"] = prediction.metrics.predict_time
found["output"] = prediction.output

# Files.
found["file"] = [file.size, file.checksums.sha256, client.files.get(file_id=file.id).id]
found["listed_file"] = file.id in [one.id for one in client.files.list()]
client.files.delete(file_id=file.id)
found["left_file"] = file.id in [one.id for one in client.files.list()]

# Cancel.
with LONG_SONG.open("rb") as song:
    long = client.predictions.create(version=RYAN, input={"audio": song})
client.predictions.cancel(prediction_id=long.id)
found["canceled"] = client.predictions.wait(long.id).status

# Lists, models and versions.
newest = [one.id for one, _ in zip(client.predictions.list(), range(2), strict=False)]
found["listed"] = newest == [long.id, prediction.id]
model = client.models.get(model_owner="ryan5453", model_name="demucs")
found["latest"] = model.latest_version.id
found["versions"] = [
    one.id for one in client.models.versions.list(model_owner="ryan5453", model_name="demucs")
]

# Webhook. The client has no function that verifies it.
secret = client.webhooks.default.secret.get().key
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
    replicate.Replicate(bearer_token="x", base_url=HOST).predictions.list()
except replicate.NotFoundError as error:
    found["wrong_base_url"] = [error.status_code, error.response.json()["detail"]]
try:
    client.run(f"ryan5453/demucs:{RYAN}", input={"audio": "https://a.test/x", "model": "unknown"})
except replicate.UnprocessableEntityError as error:
    found["unknown_model"] = [error.status_code, error.response.json()["detail"]]

json.dump(found, sys.stdout)
