"""Sign-ins and logins of command lines: known by a hash, dead when they have expired."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from plixo.store import logins, sessions
from plixo.store.logins import Login
from plixo.store.models import LoginRow, SessionRow
from plixo.store.sessions import SignIn
from tests.support.rows import NOW, Rows

HOUR = timedelta(hours=1)


def sign_in(token_hash: str = "h", kind: str = "console", lasts: timedelta = HOUR) -> SignIn:
    return SignIn(token_hash, "p-controller", kind, NOW - HOUR, NOW + lasts)


async def add(rows: Rows, one: SignIn) -> None:
    async with rows.ledger.begin() as tx:
        await sessions.add(tx.session, one, NOW)


async def test_a_sign_in_comes_back_as_it_was_kept(either_rows: Rows) -> None:
    await add(either_rows, sign_in())
    async with either_rows.ledger.read() as session:
        assert await sessions.load(session, "h", "console", NOW) == sign_in()
        assert await sessions.load(session, "other", "console", NOW) is None


async def test_a_browsers_cookie_is_no_bearer_token_nor_the_other_way_round(rows: Rows) -> None:
    await add(rows, sign_in("a", "console"))
    await add(rows, sign_in("b", "cli"))
    async with rows.ledger.read() as session:
        assert await sessions.load(session, "a", "cli", NOW) is None
        assert await sessions.load(session, "b", "console", NOW) is None


async def test_a_sign_in_is_dead_from_the_moment_it_expires(either_rows: Rows) -> None:
    await add(either_rows, sign_in())
    async with either_rows.ledger.read() as session:
        assert await sessions.load(session, "h", "console", NOW + HOUR - timedelta(microseconds=1))
        assert await sessions.load(session, "h", "console", NOW + HOUR) is None


async def test_signed_out_is_signed_out(rows: Rows) -> None:
    await add(rows, sign_in())
    async with rows.ledger.begin() as tx:
        await sessions.end(tx.session, "h")
    async with rows.ledger.read() as session:
        assert await sessions.load(session, "h", "console", NOW) is None


async def test_expired_sign_ins_are_forgotten(rows: Rows) -> None:
    await add(rows, sign_in("old", lasts=-HOUR))
    await add(rows, sign_in("new"))
    async with rows.ledger.read() as session:
        assert (await session.execute(select(func.count()).select_from(SessionRow))).scalar_one() == 1


async def test_a_sign_in_is_of_somebody_and_of_a_known_kind(either_rows: Rows) -> None:
    for wrong in (SignIn("h", "p-nobody", "console", NOW, NOW + HOUR), sign_in(kind="robot")):
        with pytest.raises(Exception, match=r"(?i)constraint"):
            await add(either_rows, wrong)


async def test_a_confirmed_login_is_handed_out_once(either_rows: Rows) -> None:
    async with either_rows.ledger.begin() as tx:
        await logins.add(tx.session, Login("device", "BCDF-GHJK", NOW + HOUR), NOW)
    async with either_rows.ledger.begin() as tx:
        waiting = await logins.take(tx.session, "device", NOW)
        assert waiting is not None
        assert waiting.person_id is None
        assert await logins.confirm(tx.session, "BCDF-GHJK", "p-controller", NOW, NOW)
        assert not await logins.confirm(tx.session, "BCDF-GHJK", "p-legal", NOW, NOW)
    async with either_rows.ledger.begin() as tx:
        taken = await logins.take(tx.session, "device", NOW)
        assert taken is not None
        assert (taken.person_id, taken.authenticated_at) == ("p-controller", NOW)
    async with either_rows.ledger.begin() as tx:
        assert await logins.take(tx.session, "device", NOW) is None


async def test_an_expired_login_is_neither_confirmed_nor_taken(rows: Rows) -> None:
    async with rows.ledger.begin() as tx:
        await logins.add(tx.session, Login("device", "BCDF-GHJK", NOW + HOUR), NOW)
    async with rows.ledger.begin() as tx:
        assert not await logins.confirm(tx.session, "BCDF-GHJK", "p-controller", NOW, NOW + HOUR)
        assert await logins.take(tx.session, "device", NOW + HOUR) is None
        await logins.add(tx.session, Login("next", "LMNP-QRST", NOW + 3 * HOUR), NOW + 2 * HOUR)
        assert (await tx.session.execute(select(func.count()).select_from(LoginRow))).scalar_one() == 1
