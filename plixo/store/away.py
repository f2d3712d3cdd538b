"""When the database itself cannot answer, whatever was asked of it."""

from typing import Final

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

DATABASE_AWAY: Final = (OperationalError, InterfaceError, PoolTimeout)
"""It cannot be reached, is full, or has no connection to spare: the same question may be answered later."""
