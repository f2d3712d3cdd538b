"""Separation of duties: every way in by which somebody who may not decide might, and that none of them leads anywhere.

Each is tried at the door, which refuses it and writes that down; past the door, as if the console had signed it all the
same, where recording refuses it; and past both, as if a worker had said that it was recorded, where the mandate does.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from plixo.directory.seed import SeedInvalid, load_seed
from plixo.domain.approval import State
from plixo.domain.people import Group
from plixo.domain.refusals import Refused
from plixo.messages.approvals import Decide, Step
from plixo.signing.tokens import StaffSigner
from starters.absences import TypedAbsence, go_away
from tests.starters.test_instead import force, say
from tests.support.desk import Office
from tests.support.rows import CUSTOMER, FOREIGN_KEY

Setting = Callable[[Office, str], Awaitable[None]]
C = Group.CONTROLLER


@dataclass(frozen=True)
class Way:
    """Somebody who may not decide, and how they try to.

    Attributes:
        who: Who decides, by role.
        before: What they arranged for it.
        code: How the door refuses them.
        decision: What the decision says, past the door.
        requester: Who asked for it.
    """

    who: str
    before: Setting
    code: str
    decision: dict[str, Any] = field(default_factory=dict)
    requester: str = "billing_admin"


async def nothing(office: Office, approval_id: str) -> None:
    """They just try."""


async def in_the_group(office: Office, _approval_id: str) -> None:
    groups = office.rows.people["billing_admin"].groups | {C}
    await office.rows.change_person("billing_admin", groups=groups, limits={})


async def handed_to_the_requester(office: Office, approval_id: str) -> None:
    with pytest.raises(Refused, match="own request"):
        await say(office, approval_id, "controller", "delegate", to="p-billing-admin")
    forged = await office.rows.say(approval_id, "controller", "delegate", subject="p-billing-admin")
    assert (await office.rows.take_up(approval_id, forged)).answer == "refused"
    async with office.rows.ledger.begin() as tx:
        await tx.settle_decision(forged, "recorded", "", office.rows.clock())


async def given_to_the_requester(office: Office, approval_id: str) -> None:
    await office.rows.change_person("billing_admin", groups=frozenset({Group.BILLING_ADMIN, Group.CFO}))
    with pytest.raises(Refused, match="own request"):
        await say(office, approval_id, "administrator", "reassign", to="p-billing-admin")
    forged = await office.rows.say(approval_id, "administrator", "reassign", subject="p-billing-admin", group=C)
    assert (await office.rows.take_up(approval_id, forged)).answer == "refused"
    async with office.rows.ledger.begin() as tx:
        await tx.settle_decision(forged, "recorded", "", office.rows.clock())


async def gone(office: Office, who: str, delegate: str) -> None:
    until = (office.rows.clock().date() + timedelta(days=3)).isoformat()
    typed = TypedAbsence("", until, office.rows.people[delegate].person_id)
    await go_away(office.desk, office.rows.people[who], typed)


async def requester_stands_in(office: Office, _approval_id: str) -> None:
    await gone(office, "controller", "billing_admin")


async def named_by_the_requester(office: Office, _approval_id: str) -> None:
    await gone(office, "controller", "billing_admin")
    await gone(office, "billing_admin", "finance")


async def directory_names_the_requester(office: Office, approval_id: str) -> None:
    await office.rows.change_person("controller", delegate_id="p-billing-admin")
    office.rows.clock.forward(hours=8)
    await office.rows.approvals.escalate(Step(approval_id))


async def related(office: Office, _approval_id: str) -> None:
    await office.rows.change_person("controller", related_customers=frozenset({CUSTOMER}))


async def related_stands_in(office: Office, _approval_id: str) -> None:
    await office.rows.change_person("finance", related_customers=frozenset({CUSTOMER}))
    await gone(office, "controller", "finance")


async def lost_the_group(office: Office, _approval_id: str) -> None:
    await office.rows.change_person("controller", groups=frozenset({Group.FINANCE}))


async def left(office: Office, approval_id: str) -> None:
    """Whoever handed it on is no Controller any more: nor is their word."""
    await say(office, approval_id, "controller", "delegate", to="p-finance")
    await lost_the_group(office, approval_id)


INSTEAD = {"group": C, "basis": "delegate:p-controller"}
WAYS = {
    "own request": Way("billing_admin", in_the_group, "own_request", {"group": C}),
    "handed to the requester": Way("billing_admin", handed_to_the_requester, "own_request", INSTEAD),
    "given to the requester": Way(
        "billing_admin", given_to_the_requester, "own_request", {"group": C, "basis": "reassigned:p-administrator"}
    ),
    "requester stands in": Way("billing_admin", requester_stands_in, "own_request", INSTEAD),
    "named by the requester": Way("finance", named_by_the_requester, "not_asked", INSTEAD),
    "directory names the requester": Way("billing_admin", directory_names_the_requester, "own_request", INSTEAD),
    "related": Way("controller", related, "related_customer"),
    "related stands in": Way("finance", related_stands_in, "related_customer", INSTEAD),
    "lost the group": Way("controller", lost_the_group, "not_asked", {"group": C}),
    "left after handing on": Way("finance", left, "not_asked", INSTEAD),
    "never asked": Way("finance", nothing, "not_asked", {"group": C}),
    "administrator": Way("administrator", nothing, "not_asked", {"group": C}),
    "operator": Way("operator", nothing, "not_asked", {"group": C}),
    "delegate of nobody": Way("finance", nothing, "not_asked", INSTEAD),
    "given by nobody": Way("cfo", nothing, "not_asked", {"group": C, "basis": "reassigned:p-administrator"}),
}


@pytest.mark.asvs("2.3.5")
@pytest.mark.parametrize("way", WAYS)
async def test_no_way_in_lets_somebody_decide_who_may_not(either_office: Office, way: str) -> None:
    office, found = either_office, WAYS[way]
    approval_id = await office.asked(role=found.requester)
    await found.before(office, approval_id)

    with pytest.raises(Refused) as caught:
        await say(office, approval_id, found.who, "approve")
    assert caught.value.code == found.code
    last = (await office.rows.trail(approval_id))[-1]
    assert (last.event, last.actor) == ("decision_refused", office.rows.people[found.who].person_id)

    signed = await office.rows.say(approval_id, found.who, **found.decision)
    answer = await office.rows.take_up(approval_id, signed)
    last = (await office.rows.trail(approval_id))[-1]
    assert (answer.answer, last.event, last.detail["decision_id"]) == ("refused", "decision_refused", signed)
    assert await office.rows.state(approval_id) is State.WAITING

    async with office.rows.ledger.begin() as tx:
        await force(tx, approval_id, signed)
    done = await ActivityEnvironment().run(office.rows.effects(office.stripe).execute, Step(approval_id))
    assert (done.state, office.stripe.made) == (State.NEEDS_ATTENTION, [])
    assert (await office.rows.trail(approval_id))[-1].event == "effect_refused"


@pytest.mark.asvs("2.3.5")
async def test_an_update_or_a_signal_that_nobody_signed_decides_nothing(either_office: Office) -> None:
    """Both are recorded by the same activity; on a real server `tests/workflows/test_forgery.py` sends them."""
    office = either_office
    approval_id = await office.asked()
    rows, real = office.rows, office.rows.signer
    rows.signer = StaffSigner(FOREIGN_KEY)
    foreign = [
        await rows.say(approval_id, "controller"),
        await rows.say(approval_id, "controller", "delegate", subject="p-finance"),
        await rows.say(approval_id, "administrator", "reassign", subject="p-cfo", group=C),
    ]
    rows.signer = real
    told = await rows.say(approval_id, "controller", "reject")
    altered = await rows.say(approval_id, "finance", signed=(await rows.decision(told)).signed, group=C)
    for decision_id in (*foreign, altered, "DE-nobody"):
        answer = await rows.approvals.record(Decide(approval_id, decision_id))
        last = (await rows.trail(approval_id))[-1]
        assert (answer.answer, last.event, last.detail["decision_id"]) == ("refused", "decision_refused", decision_id)
    assert (await rows.record(approval_id)).approval.decisions == ()


async def test_many_at_once_each_is_checked_alone(office: Office) -> None:
    """As a list of requests on which somebody decides: their own among them stops itself alone."""
    await in_the_group(office, "")
    mine, others = await office.asked(), await office.asked(role="support")
    with pytest.raises(Refused) as caught:
        await say(office, mine, "billing_admin", "approve")
    assert caught.value.code == "own_request"
    assert (await say(office, others, "billing_admin", "approve")).record.approval.state is State.APPROVED


def test_nobody_is_in_the_directory_twice_by_their_address(tmp_path: Any) -> None:
    """Whoever signs in is found by their address: an alias in other letters would be a second person."""
    one = (
        '[[people]]\nid = "{id}"\nname = "Ann"\nemail = "{email}"\ngroups = ["controller"]\ntime_zone = "UTC"\n'
        'working_hours = "09:00-17:00"\nholidays = "US"\n'
    )
    file = tmp_path / "people.toml"
    file.write_text(one.format(id="p-1", email="ann@plixo.example") + one.format(id="p-2", email="ANN@plixo.example"))
    with pytest.raises(SeedInvalid, match="email"):
        load_seed(file)


async def test_where_two_are_asked_one_voice_fills_one_seat(office: Office) -> None:
    """The Controller decides, hands on, or is away: whoever speaks for them does not speak for Legal as well."""
    approval_id = await office.asked("30000.00", reason="contract_concession")
    await say(office, approval_id, "controller", "delegate", to="p-finance")
    await gone(office, "legal", "finance")
    assert (await say(office, approval_id, "finance", "approve")).record.approval.state is State.WAITING
    assert (await say(office, approval_id, "finance", "approve")).record.approval.state is State.WAITING, "said again"
    with pytest.raises(Refused):
        await say(office, approval_id, "controller", "approve")
    signed = await office.rows.say(
        approval_id, "finance", decision_id="DE-x", group=Group.LEGAL, basis="delegate:p-legal"
    )
    assert (await office.rows.take_up(approval_id, signed)).answer in {"refused", "conflict"}
    async with office.rows.ledger.begin() as tx:
        await force(tx, approval_id, signed)
    done = await ActivityEnvironment().run(office.rows.effects(office.stripe).execute, Step(approval_id))
    assert (done.state, office.stripe.made) == (State.NEEDS_ATTENTION, [])
