"""The Postgres of this machine."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
from typing import TYPE_CHECKING

from mashup_worker.errors import ServiceUnavailable
from mashup_worker.stack.child import Child, Program
from mashup_worker.stack.leftovers import end_leftovers
from mashup_worker.stack.packages import plain_environment, postgres_programs
from mashup_worker.stack.server import NotYet, Server

if TYPE_CHECKING:
    from pathlib import Path

OWNER = "postgres"
DATABASE = "mashup"

_SYSTEM_USER = "embedded_postgres"
"""Whose rights the server has where we are root, which Postgres refuses to be."""

_STOP_GRACE_S = 30.0
"""A fast shutdown writes all that is in memory."""


def postgres(folder: Path, log: Path, port: int, password: str) -> Server:
    """A Postgres that keeps its data in a folder and asks for passwords.

    Args:
        folder: its data; made at the first start.
        log: file for its messages.
        port: on 127.0.0.1; there is no Unix socket.
        password: of the owner, fixed at the first start.

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
        stop_signal=signal.SIGINT,  # fast: sessions are ended, data is written
        grace_s=_STOP_GRACE_S,
        user=user,
    )

    def prepare() -> None:
        if user is not None:
            _let_in(user, folder, programs)
        if not folder.exists():
            _initialise(folder, programs, password, user)
        end_leftovers(folder)

    def probe(_child: Child) -> None:
        _connect(port, password)

    return Server(program, probe, prepare)


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
                "postgres: its data was made with another password than secrets.json has"
            ) from error
        raise NotYet(reason) from error


def _initialise(folder: Path, programs: Path, password: str, user: str | None) -> None:
    """Make the data folder: whole, or not at all."""
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    word = folder.with_name(f"{folder.name}.password")
    word.unlink(missing_ok=True)
    word.touch(mode=0o600)
    word.write_text(password, encoding="utf-8")
    if user is not None:
        shutil.chown(new, user, user)
        shutil.chown(word, user, user)
    try:
        subprocess.run(
            [
                programs / "initdb",
                f"--pgdata={new}",
                f"--username={OWNER}",
                f"--pwfile={word}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                # The same order of words on every machine, whatever locales it has.
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
        raise ServiceUnavailable(f"postgres: can't make {folder}: {reason}") from error
    finally:
        word.unlink()
    new.rename(folder)


def _let_in(user: str, folder: Path, programs: Path) -> None:
    """Make sure that the server's user exists, can run the programs, and can reach its data."""
    try:
        pwd.getpwnam(user)
    except KeyError:
        _make_user(user)
    if not (programs / "postgres").stat().st_mode & stat.S_IXOTH:
        for path in (programs.parent, *programs.parent.rglob("*")):
            mode = path.stat().st_mode
            run = stat.S_IXOTH if mode & stat.S_IXUSR else 0
            path.chmod(mode | stat.S_IROTH | run)
    for parent in (*folder.parents, *programs.parents):
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)  # to pass through, not to look around


def _make_user(name: str) -> None:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise ServiceUnavailable(f"postgres does not run as root; no {error.filename}") from error
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().rpartition("\n")[2]
        raise ServiceUnavailable(f"postgres: can't make the user {name}: {reason}") from error
