"""Consistent copies of a database in use, and putting them back: SQLite by itself, PostgreSQL by its own programs."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine, make_url, text


class CannotCopy(Exception):
    """A database cannot be copied or put back; the message says why."""


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a SQLite database as it is at one moment, whoever writes to it meanwhile.

    Raises:
        CannotCopy: It is no database, or cannot be read.
    """
    try:
        with closing(sqlite3.connect(source, timeout=30)) as there, closing(sqlite3.connect(target)) as here:
            there.backup(here)
    except sqlite3.Error as error:
        raise CannotCopy(f"{source} cannot be copied: {error}.") from error


def check_sqlite(path: Path) -> None:
    """Refuse a copy that is damaged.

    Raises:
        CannotCopy: It is.
    """
    try:
        with closing(sqlite3.connect(path)) as database:
            verdict = database.execute("pragma quick_check").fetchone()[0]
    except sqlite3.Error as error:
        verdict = str(error)
    if verdict != "ok":
        raise CannotCopy(f"{path.name} is damaged: {verdict}.")


def dump_postgres(url: str, target: Path) -> None:
    """Copy a PostgreSQL database as it is at one moment, without owners and grants.

    Raises:
        CannotCopy: `pg_dump` is not there, or says why it cannot.
    """
    target.touch(mode=0o600)
    _run("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--file={target}"], url)


def restore_postgres(url: str, source: Path, *, replace: bool) -> None:
    """Put a copy into a PostgreSQL database, all of it or nothing.

    Args:
        url: Its address, with the role that is to own the tables.
        source: The copy.
        replace: Drop what is there of the same names first.

    Raises:
        CannotCopy: `pg_restore` is not there, or says why it cannot.
    """
    options = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    _run("pg_restore", [*options, *(["--clean", "--if-exists"] if replace else []), str(source)], url)


def tables_of_postgres(url: str) -> Sequence[str]:
    """The tables that are there, in order.

    Raises:
        CannotCopy: Others are at work on them.
    """
    engine = create_engine(url, hide_parameters=True)
    mine = "datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
    try:
        with engine.connect() as connection:
            others = connection.execute(text(f"select count(*) from pg_stat_activity where {mine}")).scalar_one()  # noqa: S608 - our own words
            found = connection.execute(text("select tablename from pg_tables where schemaname = 'public' order by 1"))
            tables = found.scalars().all()
    finally:
        engine.dispose()
    if others:
        raise CannotCopy(f"{others} others are connected to the database; stop console and workers first.")
    return tables


def _run(program: str, options: Sequence[str], url: str) -> None:
    """Run one of PostgreSQL's programs; the password goes by the environment, where no list of processes shows it."""
    found = shutil.which(program)
    if found is None:
        raise CannotCopy(f"{program} is not here; install PostgreSQL's client programs, of its version or newer.")
    where = make_url(url).set(drivername="postgresql")
    environment = {**os.environ, "PGPASSWORD": where.password or os.environ.get("PGPASSWORD", "")}
    place = where.set(password=None).render_as_string()
    # --no-password: a program must not wait for one that nobody is there to type.
    command = [found, "--no-password", f"--dbname={place}", *options]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603 - as above
    if ran.returncode:
        said = ran.stderr.strip().splitlines() or [f"{program} ended with status {ran.returncode}"]
        raise CannotCopy(f"{said[0]}.")
