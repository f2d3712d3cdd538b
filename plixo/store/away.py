"""When the database itself cannot answer, whatever was asked of it."""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

DATABASE_AWAY: Final = (OperationalError, InterfaceError, PoolTimeout)
"""It cannot be reached, is full, or has no connection to spare: the same question may be answered later."""

_FULL: Final = "53100"
"""PostgreSQL's word for a disk that has no room left."""


def is_full(failure: Exception) -> bool:
    """Whether the database could not write since its disk, or its own limit, has no room left."""
    driver = failure.orig if isinstance(failure, DBAPIError) else None
    full = getattr(driver, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return full or getattr(driver, "sqlstate", None) == _FULL
