"""Requests as a simulation reads them."""

from datetime import timedelta

from plixo.store.models import ApprovalRow
from plixo.store.routed import routed_since
from tests.support.rows import Rows


async def test_what_a_request_was_routed_with_is_read_in_both_databases(either_rows: Rows) -> None:
    approval_id = await either_rows.ask(50_000)
    async with either_rows.ledger.read() as session:
        found = await routed_since(session, either_rows.clock() - timedelta(days=1))
        row = await session.get_one(ApprovalRow, approval_id)
    asked = found[approval_id]
    assert (asked.reason, asked.kind, asked.amount_minor) == (row.change["reason"], "credit", 50_000)
    assert (asked.path, asked.open) == (row.path, True)
