"""The independent check over what a demo left: it finds what somebody planted there, and names it."""

import json
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.places import Ports
from demo.preparing import wait_for_temporal
from demo.stack import STANDIN_KEY, Stack, _stack
from tests.support.played import Played
from tests.support.program import Said, run

pytestmark = pytest.mark.journey


@dataclass(frozen=True)
class Left:
    """What a demo left: Temporal and the stand-in run over a copy of it again.

    Attributes:
        stack: The two of them.
        approvals: What the demo said of each request.
    """

    stack: Stack
    approvals: list[dict[str, Any]]

    def approval(self, scenario: int) -> dict[str, Any]:
        return next(one for one in self.approvals if one["scenario"] == scenario)

    def check(self) -> Said:
        """`python -m demo.check` as anybody can run it."""
        stack = self.stack
        asked = ["--database", stack.settings.database, "--ledger", stack.standin_url]
        asked += ["--temporal", stack.settings.temporal_address, "--mailbox", str(stack.data / "mailbox")]
        asked += ["--keys", str(stack.settings.public_keys), "--json"]
        asked += ["--checkpoints", str(stack.settings.checkpoint_folder)]
        asked += ["--audit-keys", str(stack.settings.audit_public_keys)]
        return run(*asked, program=[sys.executable, "-m", "demo.check"])


@pytest.fixture
async def left(played: Played, copied: Path) -> AsyncIterator[Left]:
    stack = _stack(copied, Ports.free(), "", "demo")
    assert stack.standin is not None
    try:
        await stack.temporal.start()
        await stack.standin.start()
        await wait_for_temporal(stack.temporal, stack.settings.temporal_address)
        await stack.standin.wait_until_ready()
        yield Left(stack, played.answer["approvals"])
    finally:
        await stack.temporal.kill()
        await stack.standin.kill()


def found(said: Said) -> set[tuple[str, str]]:
    return {(one["what"], one["approval_id"]) for one in json.loads(said.out)["findings"]}


async def test_it_finds_a_planted_double_credit_and_nothing_before(left: Left) -> None:
    before = left.check()
    assert (before.status, found(before)) == (0, set())
    approval = left.approval(3)
    _credit_again(left, approval)

    said = left.check()

    assert said.status == 1
    assert ("double_effect", approval["id"]) in found(said)
    assert {approval_id for _, approval_id in found(said)} == {approval["id"]}


async def test_it_finds_a_planted_missing_credit(left: Left) -> None:
    approval = left.approval(2)
    _execute(left.stack.data / "standin.db", "ledger", "delete from ledger where id = ?", approval["stripe_object"])

    said = left.check()

    assert said.status == 1
    assert ("effect_missing", approval["id"]) in found(said)
    assert {approval_id for _, approval_id in found(said)} == {approval["id"]}


async def test_it_finds_a_planted_unsigned_decision(left: Left) -> None:
    approval = left.approval(6)
    _execute(
        left.stack.data / "plixo.db",
        "decisions",
        "update decisions set signed = '' where approval_id = ?",
        approval["id"],
    )

    said = left.check()

    assert said.status == 1
    assert ("decision_unsigned", approval["id"]) in found(said)
    assert {approval_id for _, approval_id in found(said)} == {approval["id"]}


async def test_it_finds_a_decision_that_was_only_ever_written_into_the_database(left: Left) -> None:
    """With another decision's signature, since nobody without the key can make one."""
    waiting, decided = left.approval(4), left.approval(2)
    _execute(
        left.stack.data / "plixo.db",
        "decisions",
        "insert into decisions select 'DE-PLANTED', ?, round, stage, 'p-legal', 'legal', verdict, digest, amount_minor,"
        " comment, signed, status, position, why, submitted_at, settled_at, basis, subject from decisions"
        " where approval_id = ?",
        waiting["id"],
        decided["id"],
    )

    said = left.check()

    assert said.status == 1
    assert {"decision_altered", "decision_only_in_database"} <= {what for what, _ in found(said)}
    assert {approval_id for _, approval_id in found(said)} == {waiting["id"]}


@pytest.mark.asvs("16.4.3")
async def test_it_finds_an_entry_cut_off_a_chain(left: Left) -> None:
    approval = left.approval(4)
    _execute(
        left.stack.data / "plixo.db",
        "audit",
        "delete from audit where approval_id = ? and event = 'decision_refused' and seq = "
        "(select max(seq) from audit where approval_id = ?)",
        approval["id"],
        approval["id"],
    )

    said = left.check()

    assert said.status == 1
    assert found(said) == {("audit_cut", approval["id"])}


def _credit_again(left: Left, approval: dict[str, Any]) -> None:
    """With the worker's key, under another idempotency key: what exactly-once must never let happen."""
    form = {"amount": str(-approval["amount_minor"]), "currency": "usd", "metadata[plixo_approval]": approval["id"]}
    form["metadata[plixo_effect]"] = f"EF-{approval['id']}"
    path = "/v1/customers/cus_ExampleStudio/balance_transactions"
    headers = {"Authorization": f"Bearer {STANDIN_KEY}"}
    httpx.post(f"{left.stack.standin_url}{path}", data=form, headers=headers).raise_for_status()


def _execute(file: Path, table: str, statement: str, *values: str) -> None:
    """As somebody with the file in hand: the triggers that guard a table are no more than rows in it."""
    with closing(sqlite3.connect(file, timeout=10)) as books, books:
        guards = books.execute("select name from sqlite_master where type = 'trigger' and tbl_name = ?", (table,))
        for (name,) in guards.fetchall():
            books.execute(f'drop trigger "{name}"')
        assert books.execute(statement, values).rowcount == 1
