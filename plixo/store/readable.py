"""Lists of rows of which one may be damaged: the others are read all the same, and the log names that one.

PostgreSQL keeps moments that no calendar has, such as `infinity`. Whoever may write to the database may write one, and
the driver then refuses the whole answer.
"""

import logging
from typing import Any

from sqlalchemy import Select
from sqlalchemy.exc import DataError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

log = logging.getLogger(__name__)


async def rows(session: AsyncSession, query: Select[Any], key: InstrumentedAttribute[str]) -> list[Any]:
    """The rows that the query asks for, in its order, without those that cannot be read.

    Args:
        session: Reads.
        query: Asks for whole rows of one table.
        key: The table's primary key.
    """
    try:
        return list((await session.execute(query)).scalars())
    except DataError:
        keys = (await session.execute(query.with_only_columns(key))).scalars().all()
    found = [await _row(session, query, key, one) for one in keys]
    return [row for row in found if row is not None]


async def _row(session: AsyncSession, query: Select[Any], key: InstrumentedAttribute[str], one: str) -> Any:  # noqa: ANN401 - whatever rows the query asks for
    try:
        return (await session.execute(query.where(key == one).limit(None).offset(None))).scalar_one_or_none()
    except DataError:
        log.error("%s is passed over: its row was changed until it cannot be read", one)  # noqa: TRY400 - where it is read says nothing more
        return None
