"""A process that was stopped holds up the others for seconds, and what they asked for is only put off."""

import asyncio

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from plixo.domain.approval import State
from plixo.messages.approvals import Step
from plixo.store.engine import open_engine
from tests.support.rows import Rows, open_rows

pytestmark = pytest.mark.postgres


async def limits(url: str) -> tuple[str, str]:
    engine = open_engine(url)
    try:
        async with engine.connect() as connection:
            lock = (await connection.execute(text("show lock_timeout"))).scalar_one()
            idle = (await connection.execute(text("show idle_in_transaction_session_timeout"))).scalar_one()
    finally:
        await engine.dispose()
    return lock, idle


async def test_no_lock_is_waited_for_and_none_is_held_in_silence_for_long(postgres_url: str) -> None:
    assert await limits(postgres_url) == ("10s", "1min")


async def test_what_the_address_sets_holds(postgres_url: str) -> None:
    mark = "&" if "?" in postgres_url else "?"
    assert await limits(f"{postgres_url}{mark}options=-c%20lock_timeout%3D3s") == ("3s", "1min")


async def test_a_request_whose_row_is_locked_is_put_off_and_not_refused(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plixo.store.engine.LOCK_TIMEOUT", "100ms")
    async with open_rows(postgres_url) as rows:
        approval_id = await rows.ask()
        async with rows.ledger.begin() as stopped:
            await stopped.approval(approval_id)
            with pytest.raises(OperationalError, match="lock timeout") as caught:
                await asyncio.wait_for(rows.approvals.open(Step(approval_id)), 30)
        assert isinstance(caught.value.orig, psycopg.errors.LockNotAvailable)
        assert await rows.state(approval_id) is State.ROUTING
        assert (await rows.approvals.open(Step(approval_id))).state == "waiting"


async def test_who_is_silent_in_a_transaction_loses_it_and_the_next_one_goes_on(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plixo.store.engine.IDLE_TIMEOUT", "100ms")
    async with open_rows(postgres_url) as rows:
        approval_id = await rows.ask()
        with pytest.raises(DBAPIError, match="idle-in-transaction"):
            await _silent_for_too_long(rows, approval_id)
        assert (await rows.approvals.open(Step(approval_id))).state == "waiting"


async def _silent_for_too_long(rows: Rows, approval_id: str) -> None:
    """Holds the row until another connection gets it, which it does once the server has had enough."""
    async with rows.ledger.begin() as stopped:
        await stopped.approval(approval_id)
        async with rows.ledger.begin() as other:
            assert await other.approval(approval_id)
        await stopped.approval(approval_id)
