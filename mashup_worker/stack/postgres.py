"""Local Postgres server."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
from typing import TYPE_CHECKING

from mashup_worker.errors import ServiceUnavailable
from mashup_worker.stack.child import Program
from mashup_worker.stack.packages import plain_environment, postgres_programs
from mashup_worker.stack.server import NotReady, Server, kill_stale_servers

if TYPE_CHECKING:
    from pathlib import Path

OWNER = "postgres"
DATABASE = "mashup"

_SYSTEM_USER = "embedded_postgres"
"""User of the server if this process runs as root, which Postgres refuses."""

_STOP_GRACE_S = 30.0
"""A fast shutdown writes all data in memory."""


def postgres(folder: Path, log: Path, *, port: int, password: str) -> Server:
    """Return a Postgres server on a TCP port of 127.0.0.1 only.

    The first start creates the data folder with the password of the owner.

    Raises:
        PackagesMissing: embedded-postgres is not installed.
    """
    programs = postgres_programs()
    user = _SYSTEM_USER if os.geteuid() == 0 else None
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "logging_collector": "off",
        "log_timezone": "UTC",
        "timezone": "UTC",
    }
    program = Program(
        name="postgres",
        arguments=(
            str(programs / "postgres"),
            *("-D", str(folder)),
            *(f"--{name}={value}" for name, value in settings.items()),
        ),
        folder=folder.parent,
        log=log,
        environment=plain_environment(folder.parent),
        stop_signal=signal.SIGINT,  # fast shutdown: ends sessions and writes data
        grace_s=_STOP_GRACE_S,
        user=user,
    )

    def prepare() -> None:
        if user is not None:
            _grant_access(user, folder, programs)
        if not folder.exists():
            _initialize(folder, programs, password, user)
        kill_stale_servers(folder)

    return Server(program, lambda _child: _connect(port, password), prepare=prepare)


def _connect(port: int, password: str) -> None:
    import psycopg

    try:
        psycopg.connect(
            host="127.0.0.1",
            port=port,
            user=OWNER,
            password=password,
            dbname=OWNER,
            connect_timeout=5,
        ).close()
    except psycopg.OperationalError as error:
        reason = str(error).strip().rpartition("\n")[2]
        if "password authentication failed" in reason:
            raise ServiceUnavailable(
                "postgres: its data has another password than secrets.json; restore that file"
            ) from error
        raise NotReady(reason) from error


def _initialize(folder: Path, programs: Path, password: str, user: str | None) -> None:
    """Create the data folder atomically."""
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    password_file = folder.with_name(f"{folder.name}.password")
    password_file.unlink(missing_ok=True)
    password_file.touch(mode=0o600)
    password_file.write_text(password, encoding="utf-8")
    if user is not None:
        shutil.chown(new, user, user)
        shutil.chown(password_file, user, user)
    try:
        subprocess.run(
            [
                programs / "initdb",
                f"--pgdata={new}",
                f"--username={OWNER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                # The same sort order on every machine, independent of its locales.
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                "--no-instructions",
            ],
            check=True,
            cwd=folder.parent,
            env=plain_environment(folder.parent),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )
    except subprocess.CalledProcessError as error:
        reason = (error.stderr or error.stdout).strip().rpartition("\n")[2]
        raise ServiceUnavailable(f"postgres: initdb failed in {folder}: {reason}") from error
    finally:
        password_file.unlink()
    new.rename(folder)


def _grant_access(user: str, folder: Path, programs: Path) -> None:
    """Create the server's user, and let it run the programs and reach its data."""
    if not _exists(user):
        _create_user(user)
    if not (programs / "postgres").stat().st_mode & stat.S_IXOTH:
        for path in (programs.parent, *programs.parent.rglob("*")):
            mode = path.stat().st_mode
            run = stat.S_IXOTH if mode & stat.S_IXUSR else 0
            path.chmod(mode | stat.S_IROTH | run)
    for parent in (*folder.parents, *programs.parents):
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)  # to pass through, not to list


def _exists(user: str) -> bool:
    return any(one.pw_name == user for one in pwd.getpwall())


def _create_user(name: str) -> None:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise ServiceUnavailable(
            f"postgres: refuses to run as root, and {error.filename} is missing"
        ) from error
    except subprocess.CalledProcessError as error:
        if _exists(name):  # another process was faster
            return
        reason = error.stderr.strip().rpartition("\n")[2]
        raise ServiceUnavailable(f"postgres: cannot create the user {name}: {reason}") from error
