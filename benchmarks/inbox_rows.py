"""A table full of requests as years leave it: most of them applied, a tenth still waiting."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import insert, text

from plixo.domain.change import ProposedChange, Target, TargetKind
from plixo.domain.ids import approval_id
from plixo.domain.money import Money
from plixo.domain.path import ApprovalPath, Clock, Seat, Stage
from plixo.domain.people import Group
from plixo.domain.reasons import Reason
from plixo.store.engine import open_engine
from plixo.store.models import ApprovalRow, DecisionRow

CHUNK: Final = 2_000
REQUESTERS: Final = ("p-billing-admin", "p-billing-admin", "p-billing-admin", "p-support", "p-controller")
_CLOCK: Final = Clock(due_hours=8, remind_hours=(4,), expire_hours=40)
_CONTROLLER: Final = (Stage((Seat(Group.CONTROLLER, 2_500_000),), _CLOCK),)
_LEGAL: Final = (Stage((Seat(Group.LEGAL, 500_000),), _CLOCK),)
_BOTH: Final = (Stage((Seat(Group.CONTROLLER), Seat(Group.LEGAL)), _CLOCK),)
_CFO: Final = (*_CONTROLLER, Stage((Seat(Group.CFO),), _CLOCK))
_MEMBERS: Final = {Group.CONTROLLER: "p-controller", Group.LEGAL: "p-legal", Group.CFO: "p-cfo"}
_SIGNED: Final = "e" * 1200
"""As long as a signed request is; the inbox reads no signature."""


async def fill(url: str, size: int) -> None:
    """Write so many requests and their decisions, as a database has them that has been in use.

    Args:
        url: A prepared database.
        size: How many requests.
    """
    chance = random.Random(7)  # noqa: S311 - the same rows in every run, not a secret
    now = datetime.now(UTC)
    engine = open_engine(url)
    try:
        for begin in range(0, size, CHUNK):
            made = [_request(number, size, now, chance) for number in range(begin, min(begin + CHUNK, size))]
            said = [one for row, stages in made for one in _decisions(row, stages)]
            async with engine.begin() as connection:
                await connection.execute(insert(ApprovalRow), [row for row, _ in made])
                if said:
                    await connection.execute(insert(DecisionRow), said)
        if url.startswith("postgresql"):  # as its autovacuum would have done by then
            async with engine.connect() as connection:
                free = await connection.execution_options(isolation_level="AUTOCOMMIT")
                await free.execute(text("vacuum analyze"))
    finally:
        await engine.dispose()


def _request(number: int, size: int, now: datetime, chance: random.Random) -> tuple[dict[str, Any], tuple[Stage, ...]]:
    made = now - timedelta(days=730) * (1 - number / size)
    stages = chance.choices(((), _CONTROLLER, _LEGAL, _BOTH, _CFO), (50, 25, 10, 12, 3))[0]
    ended = ("executed", "rejected", "withdrawn", "returned", "needs_attention")
    state = chance.choices(ended, (900, 50, 20, 30, 1))[0]
    if number >= size * 0.8 and number % 2:  # the newest fifth: every other one waits
        state, stages = "waiting", stages or _CONTROLLER
    requester = chance.choice(REQUESTERS)
    customer = f"cus_Example{chance.randrange(3_000)}"
    amount = Money(chance.randrange(1_000, 2_000_000), "USD")
    target = Target(TargetKind.INVOICE, f"in_Example{number}", "open", "USD", f"EX-{number}")
    change = ProposedChange("credit", customer, amount, target, Reason.SERVICE_OUTAGE, "Two days down. " * 4)
    path = ApprovalPath("over", "Above authority.", stages)
    stage = len(stages) - 1 if state == "waiting" and number % 3 == 0 else 0
    waits = [seat.group.value for seat in stages[stage].seats] if state == "waiting" else []
    due = made + timedelta(hours=8 + 24 * 60) if state == "waiting" else None
    row = {
        "approval_id": approval_id("CR", requester, f"b-{number}"),
        "kind": "credit",
        "request_id": f"b-{number}",
        "requester_id": requester,
        "customer_id": customer,
        "customer_name": f"Example {customer.removeprefix('cus_Example')}",
        "target_id": target.target_id,
        "change": change.to_claims(),
        "digest": change.digest,
        "amount_minor": amount.minor,
        "currency": "USD",
        "base_minor": amount.minor,
        "base_currency": "USD",
        "net_minor": amount.minor,
        "tax_minor": 0,
        "gross_minor": amount.minor,
        "policy": "1@9f2c",
        "path": path.to_claims(),
        "automatic": not stages,
        "signed": _SIGNED,
        "state": state,
        "round": 0,
        "stage": stage,
        "waits_for": waits,
        "stage_since": made,
        "due_at": due,
        "created_at": made,
        "ended_at": None if state == "waiting" else made + timedelta(hours=chance.random() * 40),
        "stripe_object": f"cn_{number}" if state == "executed" else "",
        "why": "",
        "bulk": False,
    }
    return row, stages


def _decisions(row: dict[str, Any], stages: tuple[Stage, ...]) -> Iterator[dict[str, Any]]:
    """Everybody of the path for what was applied; of what waits, what came before its stage."""
    passed = stages[: row["stage"]] if row["state"] == "waiting" else stages
    if row["state"] not in {"waiting", "executed"}:
        return
    for place, (number, seat) in enumerate((at, seat) for at, stage in enumerate(passed) for seat in stage.seats):
        moment = row["created_at"] + timedelta(hours=place + 1)
        yield {
            "decision_id": f"DE-{row['approval_id']}-{place}",
            "approval_id": row["approval_id"],
            "round": 0,
            "stage": number,
            "person_id": _MEMBERS[seat.group],
            "group": seat.group.value,
            "verdict": "approve",
            "digest": row["digest"],
            "amount_minor": row["amount_minor"],
            "comment": "Ours.",
            "signed": _SIGNED,
            "status": "recorded",
            "position": place + 1,
            "why": "",
            "submitted_at": moment,
            "settled_at": moment,
        }
