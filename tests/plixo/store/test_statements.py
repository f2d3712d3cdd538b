"""Statements that the driver runs itself do what SQLAlchemy would have done, on both databases."""

from typing import Any

import pytest
from sqlalchemy import bindparam, select, text, update
from sqlalchemy.exc import IntegrityError, NoResultFound, OperationalError, ResourceClosedError

from plixo.store.models import DecisionRow, OutboxRow, PersonRow
from plixo.store.statements import Statement, everything_of, insert_into
from tests.support.rows import NOW, Rows

SECRET = "nobody-else@example.com"
NEW = Statement(insert_into(OutboxRow))
ALL = Statement(everything_of(OutboxRow))
SENT = Statement(
    update(OutboxRow).where(OutboxRow.key == bindparam("sent")).values(sent_at=bindparam("at"), problem=""),
)


def mail(**changed: Any) -> dict[str, Any]:
    usual = {
        "recipient": SECRET,
        "template": "asked",
        "context": {"a": [1, None]},
        "created_at": NOW,
        "attempts": 0,
        "not_before": None,
    }
    return {"key": "k", **usual, "leased_until": None, "sent_at": None, "problem": "slow", "bulk": True, **changed}


async def test_what_goes_in_comes_out_as_the_models_have_it(either_rows: Rows) -> None:
    async with either_rows.ledger.begin() as tx:
        assert await NEW.change(tx.session, **mail()) == 1
        assert [row._asdict() for row in await ALL.rows(tx.session)] == [mail()]
        same = (await tx.session.scalars(select(OutboxRow))).one()
    assert {name: getattr(same, name) for name in mail()} == mail()


async def test_a_fixed_value_stands_beside_the_parameters(either_rows: Rows) -> None:
    async with either_rows.ledger.begin() as tx:
        await NEW.change(tx.session, **mail())
        await SENT.change_one(tx.session, sent="k", at=NOW)
        found = await ALL.first(tx.session)
    assert (found.sent_at, found.problem) == (NOW, "")


async def test_columns_go_by_the_models_names() -> None:
    assert "group" in everything_of(DecisionRow).selected_columns.keys()  # noqa: SIM118 - no dictionary


async def test_one_row_that_is_not_there_is_an_error(either_rows: Rows) -> None:
    async with either_rows.ledger.begin() as tx:
        assert await ALL.first(tx.session) is None
        with pytest.raises(NoResultFound):
            await SENT.change_one(tx.session, sent="k", at=NOW)


async def test_a_missing_parameter_is_an_error(either_rows: Rows) -> None:
    async with either_rows.ledger.begin() as tx:
        with pytest.raises(TypeError, match="at"):
            await SENT.change(tx.session, sent="k")


async def test_an_error_is_sqlalchemys_and_names_no_value(either_rows: Rows) -> None:
    async def twice() -> None:
        async with either_rows.ledger.begin() as tx:
            await NEW.change(tx.session, **mail())
            await NEW.change(tx.session, **mail())

    with pytest.raises(IntegrityError, match="INSERT INTO outbox") as caught:
        await twice()
    assert SECRET not in str(caught.value)
    async with either_rows.ledger.begin() as tx:
        assert await ALL.rows(tx.session) == [], "nothing of it was kept"


async def test_a_session_that_outlives_its_transaction_cannot_go_on(either_rows: Rows) -> None:
    """Its statements would run outside of any transaction, or in somebody else's."""
    async with either_rows.ledger.begin() as tx:
        await ALL.rows(tx.session)
    with pytest.raises(ResourceClosedError):
        await ALL.rows(tx.session)


async def test_a_connection_that_was_cut_is_away_and_is_not_used_again(postgres_rows: Rows) -> None:
    rows = postgres_rows

    async def cut() -> None:
        async with rows.ledger.begin() as tx:
            mine = (await tx.session.execute(text("select pg_backend_pid()"))).scalar_one()
            async with rows.ledger.begin() as other:
                await other.session.execute(text("select pg_terminate_backend(:mine)"), {"mine": mine})
            await ALL.rows(tx.session)

    with pytest.raises(OperationalError):
        await cut()
    async with rows.ledger.begin() as tx:
        assert len(await Statement(everything_of(PersonRow)).rows(tx.session)) == len(rows.people)
