"""Approve against reject against withdraw against expiry, in every order and at once: one outcome, told to all."""

import asyncio
from itertools import permutations

from temporalio.exceptions import ApplicationError

from plixo.domain.approval import State
from plixo.domain.path import Stage
from plixo.messages.approvals import Recorded, Standing, Step
from tests.support.desk import together
from tests.support.rows import BOTH, CONTROLLER, Rows

VOICES = {
    "approve": ("controller", "approve", State.APPROVED),
    "reject": ("controller", "reject", State.REJECTED),
    "withdraw": ("billing_admin", "withdraw", State.WITHDRAWN),
    "expire": ("", "", State.RETURNED),
}
ORDERS = list(permutations(VOICES))


async def speak(rows: Rows, approval_id: str, stored: dict[str, str], voice: str) -> Recorded | Standing:
    if voice == "expire":
        return await rows.approvals.expire(Step(approval_id))
    return await rows.take_up(approval_id, stored[voice])


async def ready(
    rows: Rows, stages: tuple[Stage, ...] = CONTROLLER, rejecting: str = "controller"
) -> tuple[str, dict[str, str]]:
    """A request whose time is up, on which everybody's word is signed and kept."""
    approval_id = await rows.waiting(420_000, stages)
    roles = {"approve": "controller", "reject": rejecting, "withdraw": "billing_admin"}
    stored = {voice: await rows.say(approval_id, role, voice) for voice, role in roles.items()}
    rows.clock.forward(hours=40)
    return approval_id, stored


def outcome(answer: Recorded | Standing) -> str:
    return answer.answer if isinstance(answer, Recorded) else answer.state


async def one_outcome(rows: Rows, approval_id: str, stored: dict[str, str], answers: dict[str, str]) -> State:
    """What came of it; everything that is kept of it says the same."""
    record = await rows.record(approval_id)
    state, recorded = record.approval.state, record.approval.decisions
    won = next(voice for voice, (_, _, leads_to) in VOICES.items() if leads_to is state)
    assert [known.verdict.value for known in recorded] == ([] if won == "expire" else [won])
    events = await rows.events(approval_id)
    stood = {state, State.RETURNED} if "expired" in events else {state}  # what was returned can still be withdrawn
    assert len(stood) == 1 or won == "withdraw"
    for voice, decision_id in stored.items():
        kept = await rows.decision(decision_id)
        assert (answers[voice], kept.status) == (("accepted", "recorded") if voice == won else ("conflict",) * 2)
        assert kept.why in ({""} if voice == won else {f"The request is {one.label.lower()} already." for one in stood})
    assert State(answers["expire"]) in stood, "an expiry that came too late is told what stands"
    assert (events.count("decision_recorded"), events.count("expired")) == (won != "expire", State.RETURNED in stood)
    assert events.count("decision_conflict") == len(stored) - events.count("decision_recorded")
    return state


def end(order: tuple[str, ...]) -> str:
    """Whose word it ends with: the first's, or the withdrawal of what was returned before."""
    return "withdraw" if order[0] == "expire" and "withdraw" in order else order[0]


async def test_the_first_to_speak_decides_and_the_others_are_told_in_every_order(rows: Rows) -> None:
    for order in ORDERS:
        approval_id, stored = await ready(rows)
        answers = {voice: outcome(await speak(rows, approval_id, stored, voice)) for voice in order}
        assert await one_outcome(rows, approval_id, stored, answers) is VOICES[end(order)][2], order


async def test_all_at_once_one_decides_and_the_others_are_told(either_rows: Rows) -> None:
    for order in ORDERS[:: len(ORDERS) // 4]:
        approval_id, stored = await ready(either_rows)
        said = await together(*(speak(either_rows, approval_id, stored, voice) for voice in order))
        assert not [one for one in said if isinstance(one, BaseException)]
        answers = dict(zip(order, map(outcome, said), strict=True))
        await one_outcome(either_rows, approval_id, stored, answers)


async def test_of_two_who_must_agree_one_yes_decides_nothing_in_any_order(rows: Rows) -> None:
    """What comes first and is no mere half ends it; a half before it stands, a half after it is a conflict."""
    for order in ORDERS:
        approval_id, stored = await ready(rows, BOTH, rejecting="legal")
        answers = {voice: outcome(await speak(rows, approval_id, stored, voice)) for voice in order}
        ending = end(tuple(voice for voice in order if voice != "approve"))
        first = next(voice for voice in order if voice != "approve")
        record = await rows.record(approval_id)
        assert record.approval.state is VOICES[ending][2], order
        half = order.index("approve") < order.index(first)
        assert answers["approve"] == ("accepted" if half else "conflict"), order
        assert {answers[voice] for voice in set(stored) - {"approve", ending}} == {"conflict"}, order
        assert len(record.approval.decisions) == half + (ending != "expire"), order


async def test_an_expiry_that_comes_too_early_loses_against_whatever_comes_in_time(either_rows: Rows) -> None:
    for voice in ("approve", "reject", "withdraw"):
        approval_id = await either_rows.waiting()
        role, verdict, leads_to = VOICES[voice]
        decision_id = await either_rows.say(approval_id, role, verdict)
        early, answer = await together(
            either_rows.approvals.expire(Step(approval_id)), either_rows.take_up(approval_id, decision_id)
        )
        assert (answer.answer, await either_rows.state(approval_id)) == ("accepted", leads_to)
        assert isinstance(early, Standing) or (isinstance(early, ApplicationError) and early.type == "not_due")


async def test_the_same_decision_a_hundred_times_at_once_is_recorded_once(either_rows: Rows) -> None:
    approval_id = await either_rows.waiting()
    decision_id = await either_rows.say(approval_id, "controller")
    said = await asyncio.gather(*(either_rows.take_up(approval_id, decision_id) for _ in range(100)))
    assert sorted(one.answer for one in said) == ["accepted"] + ["already_received"] * 99
    assert {one.standing.state for one in said} == {"approved"}
    assert (await either_rows.events(approval_id)).count("decision_recorded") == 1
