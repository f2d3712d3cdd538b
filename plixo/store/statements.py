"""Statements that every request needs many times: compiled once for each database, run by its driver itself.

A statement takes SQLite a few hundredths of a millisecond; SQLAlchemy's steps around it, session, execution context and
result, take several times as long. What it knows of the database is kept: its text, its types, and its errors.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Dialect, Insert, Select, Update, bindparam, insert, inspect, select
from sqlalchemy.exc import DBAPIError, NoResultFound
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from plixo.store.base import Base

Built = Select[*tuple[Any, ...]] | Insert | Update

_HELD: Final = "plixo_connection"

Change = Callable[[Any], Any] | None
"""What a type makes of a value on its way in or out; None where it stays as it is."""


class Statement:
    """A statement with named parameters, the same each time.

    It does not see what a session holds and has not flushed, and no object of the session sees what it changes.
    """

    def __init__(self, built: Built) -> None:
        """Keep it; it is compiled at its first use."""
        self._built = built
        self._compiled: dict[str, _Compiled] = {}

    async def rows(self, session: AsyncSession, **values: Any) -> Sequence[Any]:  # noqa: ANN401 - a column's own
        """Its rows, with an attribute for each column."""
        _, found = await self._run(session, values)
        return found

    async def first(self, session: AsyncSession, **values: Any) -> Any:  # noqa: ANN401 - a row, or a column's own
        """Its first row, or None."""
        _, found = await self._run(session, values)
        return found[0] if found else None

    async def change(self, session: AsyncSession, **values: Any) -> int:  # noqa: ANN401 - a column's own
        """Write; how many rows were changed."""
        changed, _ = await self._run(session, values)
        return changed

    async def change_one(self, session: AsyncSession, **values: Any) -> None:  # noqa: ANN401 - a column's own
        """Write to one row.

        Raises:
            NoResultFound: There is no such row.
        """
        if await self.change(session, **values) != 1:
            raise NoResultFound("No row was found where one was to be changed.")

    async def _run(self, session: AsyncSession, values: Mapping[str, Any]) -> tuple[int, Sequence[Any]]:
        connection = session.info.get(_HELD) or await session.connection()
        compiled = self._compiled.get(connection.dialect.name) or self._compile(connection.dialect)
        given = compiled.parameters(values)
        driver = _driver(connection)
        cursor = driver.cursor()
        try:
            await cursor.execute(compiled.text, given)
            changed, found = cursor.rowcount, await cursor.fetchall() if compiled.columns else ()
        except compiled.error as failure:
            if connection.dialect.is_disconnect(failure, driver, cursor):
                await connection.invalidate(failure)
            raise compiled.wrapped(failure) from failure
        finally:
            await cursor.close()
        return changed, compiled.read(found)

    def _compile(self, dialect: Dialect) -> "_Compiled":
        return self._compiled.setdefault(dialect.name, _compiled(self._built, dialect))


async def hold_connection(session: AsyncSession) -> None:
    """Open the connection of a session that lives for one transaction: asking it each time costs as much as asking SQL.

    Once the transaction has ended, what is held is closed, and a statement on it fails.
    """
    session.info[_HELD] = await session.connection()


def everything_of(model: type[Base]) -> Select[Any]:
    """Asks for whole rows, by the names that the model gives their columns."""
    return select(*(getattr(model, key) for key in _columns(model)))


def insert_into(model: type[Base]) -> Insert:
    """Adds a row, each column a parameter of the name that the model gives it."""
    return insert(model).values({column: bindparam(key) for key, column in _columns(model).items()})


def _columns(model: type[Base]) -> Mapping[str, Column[Any]]:
    """Columns by the names that the model gives them, but those that the database works out."""
    both = ((attribute.key, attribute.columns[0]) for attribute in inspect(model).column_attrs)
    return {key: column for key, column in both if isinstance(column, Column) and not column.computed}


@dataclass(frozen=True)
class _Compiled:
    """A statement as one database takes it."""

    text: str
    dialect: Dialect
    error: Any
    fixed: Mapping[str, Any]
    incoming: Mapping[str, Change]
    positions: Sequence[str] | None
    columns: Sequence[Change]
    row: Callable[..., Any]

    def parameters(self, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a tuple or a dict, as the driver has it
        """The values as the driver takes them; one that is missing or unknown is an error of ours."""
        if values.keys() != self.incoming.keys():
            raise TypeError(f"not what the statement takes: {', '.join(sorted(values.keys() ^ self.incoming.keys()))}")
        ready = dict(self.fixed)
        for name, change in self.incoming.items():
            ready[name] = _changed(change, values[name])
        return ready if self.positions is None else tuple([ready[name] for name in self.positions])

    def read(self, found: Sequence[Any]) -> Sequence[Any]:
        """What the driver found, as our types."""
        return [self.row(map(_changed, self.columns, one)) for one in found]

    def wrapped(self, failure: Exception) -> BaseException:
        """The failure as SQLAlchemy tells it: by its kind, and without the values."""
        wrapped = DBAPIError.instance(self.text, None, failure, self.error, hide_parameters=True, dialect=self.dialect)
        assert isinstance(wrapped, BaseException)
        return wrapped


def _compiled(built: Built, dialect: Dialect) -> _Compiled:
    compiled: Any = built.compile(dialect=dialect)
    asked = built.selected_columns if isinstance(built, Select) else None
    bound = compiled.binds.items()
    ways: dict[str, Change] = {name: one.type.dialect_impl(dialect).bind_processor(dialect) for name, one in bound}
    return _Compiled(
        text=str(compiled),
        dialect=dialect,
        error=dialect.loaded_dbapi.Error,
        fixed={name: _changed(ways[name], one.value) for name, one in bound if not one.required},
        incoming={name: ways[name] for name, one in bound if one.required},
        positions=compiled.positiontup,
        columns=[one.type.dialect_impl(dialect).result_processor(dialect, None) for one in asked] if asked else (),
        row=_row(asked.keys()) if asked else tuple,
    )


def _changed(change: Change, value: Any) -> Any:  # noqa: ANN401 - a column's own
    return value if change is None else change(value)


def _row(names: Sequence[str]) -> Callable[..., Any]:
    kind: Any = namedtuple("Row", names)  # type: ignore[misc]  # noqa: PYI024 - its columns are known here alone
    make: Callable[..., Any] = kind._make
    return make


def _driver(connection: AsyncConnection) -> Any:  # noqa: ANN401 - aiosqlite's or psycopg's shape
    below = connection.sync_connection
    assert below is not None, "it is open"
    return below.connection.driver_connection
