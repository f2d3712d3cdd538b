"""The short form of `make faults`: three kills between intended and done, lost answers, and the independent check.

What it leaves is kept, so that the checker is seen to find in it whatever somebody plants there.
"""

import asyncio
import json
import mailbox
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo import check
from demo.check import Report, Sources
from demo.check_temporal import History, histories_from
from demo.playing import _sources
from tests.demo.planted import served
from tests.faults.field import Field
from tests.faults.plan import SHORT, make_plan
from tests.faults.play import Outcome, play

pytestmark = pytest.mark.journey

Ledger = list[dict[str, Any]]


@dataclass(frozen=True)
class Left:
    """What a run left.

    Attributes:
        sources: Where the checker looked.
        ledger: What Stripe did.
        histories: What Temporal kept.
        outcome: What was played.
    """

    sources: Sources
    ledger: Ledger
    histories: Mapping[str, Sequence[History]]
    outcome: Outcome

    @property
    def folder(self) -> Path:
        assert self.sources.mailbox
        return self.sources.mailbox.parent

    def one(self, status: str) -> str:
        """A request with an approver that ended so."""
        (report,) = self.outcome.reports.values()
        return next(one["id"] for one in report.approvals if one["status"] == status and one["decided_by"])

    def check(self, folder: Path | None = None, ledger: Ledger | None = None) -> Report:
        """Checks it, or a copy in another folder, or with another ledger."""
        where = folder or self.folder
        sources = replace(
            self.sources, database_url=str(where / "plixo.db"), mailbox=where / "mailbox", public_keys=self._keys
        )

        async def histories(_wanted: object) -> Mapping[str, Sequence[History]]:
            return self.histories

        with served(self.ledger if ledger is None else ledger) as url:
            return asyncio.run(check.check(replace(sources, ledger_url=url), histories, patience_seconds=0))

    def copy(self, folder: Path) -> Path:
        shutil.copytree(self.folder / "mailbox", folder / "mailbox")
        with closing(sqlite3.connect(self.folder / "plixo.db")) as books:
            books.execute(f"vacuum into '{folder / 'plixo.db'}'")
        return folder

    @property
    def _keys(self) -> Path:
        return self.sources.public_keys


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    kept: dict[str, Any] = {}

    async def keep(here: Field) -> None:
        kept["sources"] = _sources(here.stack)
        async with httpx.AsyncClient(base_url=here.stack.standin_url) as client:
            kept["ledger"] = (await client.get("/_ledger")).json()
        wanted = [f"credit/{approval_id}" for approval_id in here.wanted]
        kept["histories"] = await histories_from(here.stack.settings.temporal_address, "default")(wanted)

    folder = tmp_path_factory.mktemp("faults")
    outcome = asyncio.run(play(make_plan(1, SHORT), folder, lambda _step: None, hurry=True, keep=keep))
    return Left(**kept, outcome=outcome)


def found(report: Report) -> set[tuple[str, str]]:
    return {(one.what, one.approval_id) for one in report.findings}


def test_kills_between_intended_and_done_leave_one_effect_each(left: Left) -> None:
    tally = left.outcome.tally
    assert left.outcome.findings == []
    assert (tally.kills["worker"], tally.between) == (3, 3)
    assert tally.after_stripe >= 2
    assert tally.played["done, then reset"] > 0
    assert len(left.outcome.reports["SQLite"].approvals) == 9


def test_what_it_left_is_clean_until_somebody_plants_something(left: Left, tmp_path: Path) -> None:
    assert found(left.check()) == set()
    assert found(left.check(left.copy(tmp_path))) == set()


def test_a_planted_double_credit_is_found(left: Left) -> None:
    approval_id = left.one("executed")
    row = _effect_of(left, approval_id)
    again = {**row, "seq": len(left.ledger) + 1, "id": "cn_again", "idempotency_key": "another"}

    assert ("double_effect", approval_id) in found(left.check(ledger=[*left.ledger, again]))


def test_a_planted_missing_credit_is_found(left: Left) -> None:
    approval_id = left.one("executed")
    row = _effect_of(left, approval_id)

    assert ("effect_missing", approval_id) in found(left.check(ledger=[one for one in left.ledger if one != row]))


def test_a_refused_request_with_an_effect_is_found(left: Left) -> None:
    refused, row = left.one("rejected"), _effect_of(left, left.one("executed"))
    about = {"plixo_approval": refused, "plixo_effect": f"EF-{refused}"}
    forged = {**row, "seq": len(left.ledger) + 1, "id": "cn_forged", "metadata": about}

    what = found(left.check(ledger=[*left.ledger, forged]))

    assert {("effect_not_approved", refused), ("effect_despite_refusal", refused)} <= what


def test_a_planted_unsigned_decision_is_found(left: Left, tmp_path: Path) -> None:
    approval_id = left.one("executed")
    folder = left.copy(tmp_path)
    _execute(folder, "update decisions set signed = '' where approval_id = ?", approval_id)

    assert ("decision_unsigned", approval_id) in found(left.check(folder))


@pytest.mark.parametrize("message_id", [None, "<another@plixo.example>"], ids=["same Message-ID", "another"])
def test_a_mail_sent_twice_is_found(left: Left, tmp_path: Path, message_id: str | None) -> None:
    folder, approval_id = left.copy(tmp_path), left.one("executed")
    box = mailbox.Maildir(folder / "mailbox")
    mail = next(one for one in box if str(one["X-Plixo-Key"]).startswith(f"{approval_id}/"))
    if message_id:
        mail.replace_header("Message-ID", message_id)
    box.add(mail)

    assert found(left.check(folder)) == {("double_mail", approval_id)}


def test_a_broken_chain_is_found(left: Left, tmp_path: Path) -> None:
    folder, approval_id = left.copy(tmp_path), left.one("executed")
    detail = json.dumps({"comment": "It was never said."})
    _execute(folder, "update audit set detail = ? where approval_id = ? and seq = 2", detail, approval_id)

    assert ("audit_broken", approval_id) in found(left.check(folder))


def _effect_of(left: Left, approval_id: str) -> dict[str, Any]:
    return next(row for row in left.ledger if (row["metadata"] or {}).get("plixo_approval") == approval_id)


def _execute(folder: Path, statement: str, *values: str) -> None:
    """As somebody with the file in hand: the triggers that guard a table are no more than rows in it."""
    with closing(sqlite3.connect(folder / "plixo.db")) as books, books:
        for (name,) in books.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            books.execute(f'drop trigger "{name}"')
        assert books.execute(statement, values).rowcount > 0
