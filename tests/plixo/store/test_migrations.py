"""The migrations make the tables that the models speak of, on both databases, and carry on what waits in them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect
from temporalio.testing import ActivityEnvironment

from plixo.domain.approval import State
from plixo.domain.canonical import canonical_json
from plixo.messages.approvals import Step
from plixo.signing.tokens import StaffSigner
from plixo.store import audit_export, inbox
from plixo.store.audit_file import unsigned
from plixo.store.engine import open_engine
from plixo.store.migrate import _config, current, head, revisions, upgrade
from plixo.store.models import Base
from tests.support.databases import database
from tests.support.rows import BOTH, KEY, PlayedStripe, Rows, fresh_sqlite, open_rows


def shape(connection: Connection) -> dict[str, Any]:
    """Everything a database says of its tables, but the order of it."""
    seen = inspect(connection)
    found: dict[str, Any] = {}
    for table in sorted(set(seen.get_table_names()) - {"alembic_version"}):
        found[table] = {
            "columns": {one["name"]: (str(one["type"]), one["nullable"]) for one in seen.get_columns(table)},
            "key": seen.get_pk_constraint(table)["constrained_columns"],
            "foreign": sorted(
                (one["constrained_columns"], one["referred_table"]) for one in seen.get_foreign_keys(table)
            ),
            "unique": sorted(one["column_names"] for one in seen.get_unique_constraints(table)),
            "checks": {one["name"]: one["sqltext"] for one in seen.get_check_constraints(table)},
            "indexes": {one["name"]: (one["column_names"], one["unique"]) for one in seen.get_indexes(table)},
        }
    return found


async def test_migrated_from_empty_a_database_has_exactly_the_models_tables(migrated_url: str, tmp_path: Path) -> None:
    with database("postgres" if migrated_url else "sqlite", tmp_path) as empty:
        engine = open_engine(empty)
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
            made = await connection.run_sync(shape)
        await engine.dispose()
    engine = open_engine(migrated_url or await fresh_sqlite(tmp_path))
    async with engine.connect() as connection:
        migrated = await connection.run_sync(shape)
        found = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), Base.metadata),
        )
    await engine.dispose()
    assert migrated == made
    assert found == [], "what Alembic would change"
    assert len(migrated) == len(Base.metadata.tables)


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert await current(database_url) is None
    assert await upgrade(database_url) == await upgrade(database_url) == await current(database_url) == head()


OLDER = sorted(revisions() - {head()})
"""Revisions are numbered in their order."""


class EarlierSigner(StaffSigner):
    """Signs as was signed before a clock could say more than three moments, and a decision on what it rests."""

    def sign(self, kind: str, body: Mapping[str, Any], *, now: datetime) -> str:
        plain = json.loads(canonical_json(dict(body)))
        plain.pop("basis", None)
        for stage in plain.get("path", {}).get("stages", ()):
            stage["clock"] = {"due_hours": 8, "remind_hours": 4, "expire_hours": 40}
        return super().sign(kind, plain, now=now)


@pytest.fixture
async def older_rows(database_url: str) -> AsyncIterator[Rows]:
    """A database of each kind of its own, since its tables are changed under it."""
    await upgrade(database_url)
    async with open_rows(database_url) as opened:
        opened.signer = EarlierSigner(KEY)
        yield opened


@pytest.mark.parametrize("revision", OLDER)
async def test_what_waited_before_a_migration_is_read_after_it_and_carried_on(older_rows: Rows, revision: str) -> None:
    """One where nobody has decided and one where one of two has; and what was signed is what is written of them."""
    rows = older_rows
    fresh, half = await rows.waiting(stages=BOTH), await rows.waiting(stages=BOTH)
    said = await rows.say(half, "controller")  # and not taken up yet
    await rows.decide(half, "legal")
    was = [await rows.record(one) for one in (fresh, half)]
    await asyncio.to_thread(command.downgrade, _config(rows.url), revision)
    assert await current(rows.url) == revision
    assert await upgrade(rows.url) == head()

    kept = revision >= "0009"  # what happens by the clock, and who could decide when it was set
    forgotten = [replace(one, moments=None, approval=replace(one.approval, could=())) for one in was]
    assert [await rows.record(one) for one in (fresh, half)] == (was if kept else forgotten)
    async with rows.ledger.read() as session:
        listed, total = await inbox.find(session, rows.people["controller"], inbox.Search(), rows.clock())
        blocks = [block async for block in audit_export.blocks(session, [fresh, half])]
    assert ({one.approval.approval_id for one in listed}, total) == ({fresh, half}, 2)
    assert [len(block["decisions"]) for block in blocks] == [0, 2]
    for block in blocks:
        assert unsigned(rows.verifier, "request", block["signed"], block["request"]) is None
        for row in block["decisions"]:
            assert unsigned(rows.verifier, "decision", row["signed"], row["decision"]) is None

    told = await rows.approvals.open(Step(half))
    assert (told.waits_for, told.next_event) == ("Controller", "remind" if kept else "")
    assert kept or told.remind_at == told.since + 4 * 3600
    rows.clock.at = datetime.fromtimestamp(told.remind_at, UTC)
    await rows.approvals.remind(Step(half))
    assert [row.recipient for row in await rows.letters("reminder")] == ["controller@plixo.example"]
    assert (await rows.take_up(half, said)).standing.state == State.APPROVED
    assert (await ActivityEnvironment().run(rows.effects(PlayedStripe()).execute, Step(half))).state == State.EXECUTED
    assert "effect_done" in await rows.events(half)
    rows.clock.at = datetime.fromtimestamp((await rows.approvals.open(Step(fresh))).expire_at, UTC)
    assert (await rows.approvals.expire(Step(fresh))).state == State.RETURNED
