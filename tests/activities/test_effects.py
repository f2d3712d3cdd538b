"""The one activity that moves money, at every boundary where it can be killed, lied to, or told no."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from plixo.domain.approval import State
from plixo.domain.change import TargetKind
from plixo.domain.effects import EffectState, TargetFacts
from plixo.domain.path import Seat, Stage
from plixo.domain.payments import (
    CallConflict,
    CallRefused,
    LookUpUnfinished,
    OutcomeUnknown,
    PaymentsError,
    RateLimited,
    Unavailable,
)
from plixo.domain.people import Group, Person
from plixo.messages.approvals import Executed, Step
from plixo.signing.tokens import StaffSigner
from tests.support.rows import (
    BOTH,
    CLOCK,
    CUSTOMER,
    FOREIGN_KEY,
    INVOICE,
    DoneThenLost,
    PlayedStripe,
    Rows,
    facts,
    tamper,
    target,
)


@dataclass
class Till:
    """The activity at work on a real ledger, before a Stripe that is played."""

    rows: Rows
    stripe: PlayedStripe
    told: list[Any] = field(default_factory=list)

    async def execute(self, approval_id: str, attempt: int = 1, unknown: int = 0) -> Executed:
        """One try, after so many whose outcome stayed unknown."""
        env = ActivityEnvironment()
        self.told = [unknown] if unknown else []
        env.info = replace(env.info, attempt=attempt, heartbeat_details=list(self.told))
        env.on_heartbeat = self._hear
        done: Executed = await env.run(self.rows.effects(self.stripe).execute, Step(approval_id))
        return done

    def _hear(self, *details: Any) -> None:
        self.told = list(details)

    async def fails(self, approval_id: str, attempt: int = 1, unknown: int = 0) -> ApplicationError:
        """A try that Temporal has to repeat."""
        with pytest.raises(ApplicationError) as caught:
            await self.execute(approval_id, attempt, unknown)
        assert not caught.value.non_retryable
        return caught.value

    async def killed(self, approval_id: str, at: str) -> None:
        """The process dies at that call of Stripe's: what was committed before stays, nothing after it happens."""

        async def dies(*_: Any) -> Any:
            raise Killed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.stripe, at, dies)
            with pytest.raises(Killed):
                await self.execute(approval_id)

    async def effect(self, approval_id: str) -> EffectState | None:
        async with self.rows.ledger.begin() as tx:
            found = await tx.effect(approval_id)
        return found[0].state if found else None


class Killed(BaseException):
    """What no code catches."""


@pytest.fixture
def till(rows: Rows) -> Till:
    return Till(rows, PlayedStripe())


# Exactly once


async def test_an_approved_credit_is_applied_once_with_what_was_signed(till: Till) -> None:
    approval_id = await till.rows.approved(420_000)
    done = await till.execute(approval_id)
    assert done == Executed("executed", "cn_1")
    ((effect, _),) = till.stripe.made
    assert effect.params == {
        "invoice": INVOICE,
        "amount": 420_000,
        "reason": "product_unsatisfactory",
        "memo": "Sorry",
        "metadata": {"plixo_effect": f"EF-{approval_id}", "plixo_approval": approval_id},
    }
    record = await till.rows.record(approval_id)
    assert (record.approval.state, record.stripe_object, record.ended_at) == (State.EXECUTED, "cn_1", till.rows.clock())
    assert (record.amounts.net_minor, record.amounts.tax_minor, record.amounts.gross_minor) == (
        388_888,
        31_112,
        420_000,
    )
    assert (await till.rows.events(approval_id))[-2:] == ["effect_intended", "effect_done"]
    assert [row.recipient for row in await till.rows.letters("executed")] == ["billing.admin@plixo.example"]


async def test_asked_again_after_it_is_done_it_only_says_so(till: Till) -> None:
    approval_id = await till.rows.approved()
    first = await till.execute(approval_id)
    assert await till.execute(approval_id, attempt=2) == first
    assert len(till.stripe.asked) == 1
    assert (await till.rows.events(approval_id)).count("effect_done") == 1


async def test_killed_before_the_call_the_next_attempt_makes_exactly_one(till: Till) -> None:
    approval_id = await till.rows.approved()
    await till.killed(approval_id, "apply")
    assert await till.effect(approval_id) is EffectState.INTENDED
    assert await till.rows.state(approval_id) is State.EXECUTING
    assert till.stripe.made == []
    assert (await till.execute(approval_id, attempt=2)).state == "executed"
    assert len(till.stripe.made) == 1
    assert (await till.rows.events(approval_id)).count("effect_intended") == 1


async def test_killed_before_anything_was_intended_the_next_attempt_makes_exactly_one(till: Till) -> None:
    approval_id = await till.rows.approved()
    await till.killed(approval_id, "facts")
    assert await till.effect(approval_id) is None
    assert (await till.execute(approval_id, attempt=2)).state == "executed"
    assert len(till.stripe.made) == 1


async def test_an_answer_that_is_lost_after_stripe_did_it_is_asked_for_again_with_the_same_key(till: Till) -> None:
    approval_id = await till.rows.approved()
    till.stripe.answers = [DoneThenLost("reset")]
    failure = await till.fails(approval_id)
    assert (failure.type, failure.next_retry_delay) == ("DoneThenLost", timedelta(seconds=1))
    assert (await till.execute(approval_id, attempt=2)).stripe_object == "cn_1"
    assert len(till.stripe.made) == 1
    assert [effect.key for effect in till.stripe.asked] == [f"plixo-{approval_id}-r0"] * 2
    assert till.stripe.asked[0].params == till.stripe.asked[1].params


async def test_killed_after_the_answer_and_before_it_is_kept_nothing_is_made_twice(till: Till) -> None:
    approval_id = await till.rows.approved()
    apply = till.stripe.apply

    async def answers_and_dies(effect: Any) -> Any:
        await apply(effect)
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(till.stripe, "apply", answers_and_dies)
        with pytest.raises(Killed):
            await till.execute(approval_id)
    assert await till.effect(approval_id) is EffectState.INTENDED
    assert (await till.execute(approval_id, attempt=2)).stripe_object == "cn_1"
    assert len(till.stripe.made) == 1


async def test_what_the_first_try_planned_is_repeated_even_if_the_invoice_was_paid_since(till: Till) -> None:
    approval_id = await till.rows.approved()
    till.stripe.answers = [DoneThenLost("reset")]
    await till.fails(approval_id)
    till.stripe.says = facts(840_000, 0, status="paid")
    assert (await till.execute(approval_id, attempt=2)).state == "executed"
    assert len(till.stripe.made) == 1


@pytest.mark.parametrize("times", [2, 5])
async def test_executed_by_several_workers_at_once_there_is_one_effect(till: Till, times: int) -> None:
    approval_id = await till.rows.approved()
    till.stripe.crowd = asyncio.Barrier(times)
    answers = await asyncio.gather(*(till.execute(approval_id) for _ in range(times)))
    assert {answer.stripe_object for answer in answers} == {"cn_1"}
    assert len(till.stripe.made) == 1
    events = await till.rows.events(approval_id)
    assert (events.count("effect_intended"), events.count("effect_done")) == (1, 1)
    assert len(await till.rows.letters("executed")) == 1


async def test_once_stripe_may_have_forgotten_the_key_the_effect_is_looked_up_before_it_is_tried(till: Till) -> None:
    approval_id = await till.rows.approved()
    till.stripe.answers = [DoneThenLost("reset")]
    await till.fails(approval_id)
    till.stripe.forget_keys()
    till.rows.clock.forward(hours=20, seconds=1)
    assert (await till.execute(approval_id, attempt=2)).stripe_object == "cn_1"
    assert (len(till.stripe.made), len(till.stripe.asked)) == (1, 1)


async def test_looked_up_and_not_found_it_is_tried(till: Till) -> None:
    approval_id = await till.rows.approved()
    till.stripe.answers = [OutcomeUnknown("timeout")]
    await till.fails(approval_id)
    till.rows.clock.forward(hours=25)
    assert (await till.execute(approval_id, attempt=2)).state == "executed"
    assert (till.stripe.looked, len(till.stripe.made)) == (1, 1)


async def test_inside_the_keys_life_a_quick_try_needs_no_look_up(till: Till) -> None:
    approval_id = await till.rows.approved()
    till.stripe.answers = [OutcomeUnknown("timeout")]
    await till.fails(approval_id)
    till.rows.clock.forward(hours=19)
    await till.execute(approval_id, attempt=8)
    assert till.stripe.looked == 0


async def test_a_key_whose_stored_answer_is_an_error_is_given_up_for_a_look_up(till: Till) -> None:
    approval_id = await till.rows.approved()
    till.stripe.answers = [DoneThenLost("stored 500")]
    await till.fails(approval_id)
    till.stripe.answers = [OutcomeUnknown("the same stored 500, for ever")] * 5
    assert (await till.execute(approval_id, attempt=9)).stripe_object == "cn_1"
    assert len(till.stripe.made) == 1


async def test_a_look_up_that_fails_never_leads_to_a_second_try(till: Till) -> None:
    approval_id = await till.rows.approved()
    till.stripe.answers = [DoneThenLost("reset")]
    await till.fails(approval_id)
    till.stripe.forget_keys()
    till.rows.clock.forward(hours=30)
    till.stripe.lookups = [Unavailable("no route")]
    assert (await till.fails(approval_id, attempt=2)).type == "Unavailable"
    assert len(till.stripe.asked) == 1


async def test_a_look_up_too_long_for_one_try_goes_on_at_once_and_sends_nothing_before_its_end(till: Till) -> None:
    approval_id = await till.rows.approved()
    till.stripe.answers = [DoneThenLost("reset")]
    await till.fails(approval_id)
    till.stripe.forget_keys()
    till.rows.clock.forward(hours=30)
    till.stripe.lookups = [LookUpUnfinished("long")] * 20
    for attempt in range(2, 22):
        failure = await till.fails(approval_id, attempt)
        assert (failure.type, failure.next_retry_delay) == ("LookUpUnfinished", timedelta(seconds=1))
    assert (await till.execute(approval_id, attempt=22)).stripe_object == "cn_1"
    assert (len(till.stripe.made), len(till.stripe.asked)) == (1, 1)


# When to come back


@pytest.mark.parametrize(
    ("failure", "attempt", "wait"),
    [
        (RateLimited("429", 7.5), 1, timedelta(seconds=7.5)),
        (RateLimited("429", 0.01), 1, timedelta(seconds=1)),
        (RateLimited("429", 3600), 12, timedelta(hours=1)),
        (RateLimited("429"), 2, timedelta(seconds=2)),
        (CallConflict("in use"), 6, timedelta(seconds=1)),
        (Unavailable("no route"), 1, timedelta(seconds=1)),
        (Unavailable("no route"), 5, timedelta(seconds=15)),
        (Unavailable("no route"), 100, timedelta(seconds=15)),
        (OutcomeUnknown("reset"), 1, timedelta(seconds=1)),
        (OutcomeUnknown("reset"), 400, timedelta(seconds=1)),
    ],
)
async def test_each_failure_says_when_to_come_back(
    till: Till, failure: PaymentsError, attempt: int, wait: timedelta
) -> None:
    approval_id = await till.rows.approved()
    till.stripe.answers = [failure]
    assert (await till.fails(approval_id, attempt)).next_retry_delay == wait
    assert await till.rows.state(approval_id) is State.EXECUTING
    assert (await till.execute(approval_id, attempt + 1)).state == "executed"
    assert len(till.stripe.made) == 1


@pytest.mark.parametrize(
    ("unknown", "wait"),
    [
        (0, timedelta(seconds=1)),
        (1, timedelta(seconds=2)),
        (7, timedelta(seconds=15)),
        (8, timedelta(minutes=5)),
        (9, timedelta(hours=1)),
        (10, timedelta(days=1)),
        (400, timedelta(days=1)),
    ],
)
async def test_unknown_outcomes_climb_a_ladder_of_their_own(till: Till, unknown: int, wait: timedelta) -> None:
    approval_id = await till.rows.approved()
    till.stripe.answers = [OutcomeUnknown("reset")]
    assert (await till.fails(approval_id, unknown + 1, unknown)).next_retry_delay == wait
    assert till.told == [unknown + 1]
    assert (await till.execute(approval_id, unknown + 2, unknown + 1)).state == "executed"
    assert len(till.stripe.made) == 1


@pytest.mark.parametrize("failure", [RateLimited("429"), CallConflict("in use"), Unavailable("no route")])
async def test_a_storm_of_what_surely_did_nothing_climbs_no_ladder(till: Till, failure: PaymentsError) -> None:
    """A day without Stripe, and then one answer is lost: it is asked for again at once, not tomorrow."""
    approval_id = await till.rows.approved()
    till.stripe.answers = [failure]
    await till.fails(approval_id, attempt=300, unknown=2)
    assert till.told == [2]
    till.stripe.answers = [DoneThenLost("reset")]
    assert (await till.fails(approval_id, attempt=301, unknown=2)).next_retry_delay == timedelta(seconds=4)
    assert (await till.execute(approval_id, attempt=302, unknown=3)).state == "executed"
    assert len(till.stripe.made) == 1


async def test_signs_of_life_keep_what_earlier_tries_left(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    approval_id = await till.rows.approved()
    monkeypatch.setattr("activities.heartbeat.EVERY_SECONDS", 0.01)
    heard = asyncio.Event()
    till.stripe.apply = _after(heard, till.stripe.apply)  # type: ignore[method-assign]
    monkeypatch.setattr(till, "_hear", lambda *details: (till.told.append(details), heard.set()))
    await till.execute(approval_id, attempt=4, unknown=3)
    assert set(till.told[1:]) == {(3,)}


def _after(heard: asyncio.Event, apply: Any) -> Any:
    async def wait(effect: Any) -> Any:
        await heard.wait()
        return await apply(effect)

    return wait


@pytest.mark.parametrize("code", ["authentication_error", "permission_error"])
@pytest.mark.parametrize("where", ["facts", "apply", "find"])
async def test_trouble_with_our_api_key_gives_up_nothing(till: Till, code: str, where: str) -> None:
    approval_id = await till.rows.approved()
    trouble = CallRefused("Invalid API key", code)
    if where == "facts":
        till.stripe.says = trouble
    elif where == "apply":
        till.stripe.answers = [trouble]
    else:
        till.stripe.answers, till.stripe.lookups = [CallRefused("No such invoice", "resource_missing")], [trouble]
    failure = await till.fails(approval_id)
    assert (failure.type, failure.next_retry_delay) == (code, timedelta(minutes=5))
    assert await till.rows.state(approval_id) in {State.APPROVED, State.EXECUTING}
    till.stripe.says = facts()
    assert (await till.execute(approval_id, attempt=2)).state == "executed"
    assert len(till.stripe.made) == 1


async def test_there_is_no_such_request_is_final(till: Till) -> None:
    with pytest.raises(ApplicationError) as caught:
        await till.execute("CR-" + "A" * 26)
    assert (caught.value.type, caught.value.non_retryable) == ("approval_unknown", True)


# Refused by Stripe


async def test_a_refusal_is_for_people_and_each_is_written_to_once(till: Till) -> None:
    approval_id = await till.rows.approved()
    till.stripe.answers = [CallRefused("This invoice is locked.", "invoice_locked")]
    stopped = await till.execute(approval_id)
    assert stopped == Executed("needs_attention", "", "Stripe refused it: This invoice is locked.")
    assert await till.execute(approval_id, attempt=2) == stopped
    assert await till.effect(approval_id) is EffectState.REFUSED
    assert till.stripe.made == []
    letters = await till.rows.letters()
    assert sorted(row.recipient for row in letters if row.template == "needs_attention") == [
        "billing.admin@plixo.example",
        "controller@plixo.example",
    ]
    assert (await till.rows.trail(approval_id))[-1].detail == {"why": stopped.why}


async def test_who_left_is_not_written_to_when_something_needs_attention(till: Till) -> None:
    approval_id = await till.rows.approved()
    await till.rows.change_person("billing_admin", active=False)
    till.stripe.answers = [CallRefused("no", "x")]
    await till.execute(approval_id)
    assert [row.recipient for row in await till.rows.letters("needs_attention")] == ["controller@plixo.example"]


async def test_a_refusal_after_a_lost_answer_that_was_done_is_found_and_counts_as_done(till: Till) -> None:
    approval_id = await till.rows.approved()
    till.stripe.answers = [DoneThenLost("reset"), CallRefused("Nothing left to credit", "credit_too_large")]
    await till.fails(approval_id)
    assert (await till.execute(approval_id, attempt=2)) == Executed("executed", "cn_1")
    assert len(till.stripe.made) == 1


async def test_a_refusal_while_the_look_up_is_away_is_tried_again_and_nothing_is_given_up(till: Till) -> None:
    approval_id = await till.rows.approved()
    till.stripe.answers = [DoneThenLost("reset"), CallRefused("Nothing left", "credit_too_large")]
    await till.fails(approval_id)
    till.stripe.lookups = [Unavailable("no route")]
    assert (await till.fails(approval_id, attempt=2)).type == "Unavailable"
    assert (await till.execute(approval_id, attempt=3)).stripe_object == "cn_1"


async def test_what_can_be_neither_done_nor_looked_up_says_that_it_cannot_be_told(till: Till) -> None:
    approval_id = await till.rows.approved()
    gone = CallRefused("No such invoice", "resource_missing")
    till.stripe.answers, till.stripe.lookups = [gone], [gone]
    stopped = await till.execute(approval_id)
    assert stopped.state == "needs_attention"
    assert "cannot be told" in stopped.why


async def test_a_target_that_stripe_will_not_show_needs_attention_and_is_not_asked_for_ever(till: Till) -> None:
    approval_id = await till.rows.approved()
    till.stripe.says = CallRefused("Upgrade your API version.", "invalid_version")
    stopped = await till.execute(approval_id)
    assert (stopped.state, till.stripe.asked) == ("needs_attention", [])
    assert "Upgrade your API version." in stopped.why


# What Stripe says now is not what was signed


@pytest.mark.asvs("15.4.2")
@pytest.mark.parametrize(
    ("now", "words"),
    [
        (facts(0, 0, status="void"), "the invoice was open and is now void"),
        (facts(1_260_000, 0, status="paid"), "the invoice was open and is now paid"),
        (facts(419_999), "only 4,199.99 USD can still be credited on it"),
        (facts(currency="EUR"), "its currency was USD and is now EUR"),
        (facts(target_id="in_Other"), "the target was in_ExampleLogistics0042 and is now in_Other"),
        (None, "It is no longer to be found in Stripe."),
    ],
)
async def test_facts_that_changed_return_the_request_with_the_difference_in_words(
    till: Till, now: TargetFacts | None, words: str
) -> None:
    approval_id = await till.rows.approved()
    till.stripe.says = now
    done = await till.execute(approval_id)
    assert done.state == "returned"
    assert words in done.why
    assert (till.stripe.asked, await till.effect(approval_id)) == ([], None)
    (letter,) = await till.rows.letters("returned")
    assert (letter.recipient, letter.context["why"]) == ("billing.admin@plixo.example", done.why)
    assert (await till.rows.trail(approval_id))[-1].detail == {"why": done.why}


async def test_returned_by_one_worker_it_is_not_applied_by_another_that_read_earlier(till: Till) -> None:
    approval_id = await till.rows.approved()
    read, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_change: Any) -> TargetFacts:
        read.set()
        await go_on.wait()
        return facts()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(till.stripe, "facts", slow)
        early = asyncio.create_task(till.execute(approval_id))
        await read.wait()
    till.stripe.says = None
    assert (await till.execute(approval_id)).state == "returned"
    go_on.set()
    assert (await early).state == "returned"
    assert till.stripe.asked == []


async def test_what_the_invoice_cannot_absorb_goes_to_the_customers_balance(till: Till) -> None:
    approval_id = await till.rows.approved(420_000)
    till.stripe.says = facts(1_260_000, 100_000)
    await till.killed(approval_id, "apply")
    await till.execute(approval_id, attempt=2)
    assert till.stripe.made[0][0].params["credit_amount"] == 320_000


async def test_a_credit_to_the_balance_is_a_balance_transaction_below_zero(till: Till) -> None:
    on = target(TargetKind.CUSTOMER_BALANCE)
    approval_id = await till.rows.approved(420_000, on=on)
    till.stripe.says = TargetFacts(on, None, 0)
    await till.execute(approval_id)
    effect = till.stripe.made[0][0]
    assert (effect.kind.value, effect.customer_id) == ("customer_balance_transaction", CUSTOMER)
    assert effect.params["amount"] == -420_000


# What is not signed moves nothing


async def refused(till: Till, approval_id: str, words: str) -> None:
    """It ends with people, in words, with a trace, and with nothing written in Stripe."""
    done = await till.execute(approval_id)
    assert (done.state, till.stripe.asked) == ("needs_attention", []), done
    assert words in done.why
    assert (await till.rows.events(approval_id))[-1] == "effect_refused"
    assert len(await till.rows.letters("needs_attention")) > 0


@pytest.mark.asvs("9.1.1")
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("amount_minor", 999_999),
        ("base_minor", 1),
        ("digest", "0" * 64),
        ("requester_id", "p-support"),
        ("policy", "9@0000"),
        ("round", 1),
    ],
)
async def test_an_altered_request_row_moves_nothing(till: Till, column: str, value: object) -> None:
    approval_id = await till.rows.approved()
    tamper(till.rows.url, f"update approvals set {column} = ? where approval_id = ?", value, approval_id)
    await refused(till, approval_id, "The stored request is not what was signed.")


@pytest.mark.asvs("9.1.1")
@pytest.mark.parametrize(
    ("column", "path", "value"),
    [
        ("change", "$.amount.minor", 999_999),
        ("change", "$.customer_id", "cus_Mine"),
        ("change", "$.target.target_id", "in_Mine"),
        ("change", "$.note", "harmless"),
        ("change", "$.memo", "other words"),
        ("path", "$.stages[0].seats[0].limit_minor", 10**9),
        ("path", "$.stages[0].seats[0].group", "billing_admin"),
    ],
)
async def test_an_altered_change_or_path_moves_nothing(till: Till, column: str, path: str, value: object) -> None:
    approval_id = await till.rows.approved()
    alter = f"update approvals set {column} = json_set({column}, ?, ?) where approval_id = ?"
    tamper(till.rows.url, alter, path, value, approval_id)
    await refused(till, approval_id, "The stored request is not what was signed.")


@pytest.mark.asvs("9.1.1")
async def test_a_path_that_was_emptied_is_not_an_automatic_approval(till: Till) -> None:
    approval_id = await till.rows.waiting()
    alter = "update approvals set path = json_set(path, '$.stages', json('[]')), state = 'approved', automatic = 1"
    tamper(till.rows.url, f"{alter} where approval_id = ?", approval_id)
    await refused(till, approval_id, "The stored request is not what was signed.")


@pytest.mark.asvs("9.1.1")
async def test_a_state_that_was_merely_written_is_no_approval(till: Till) -> None:
    approval_id = await till.rows.waiting()
    tamper(till.rows.url, "update approvals set state = 'approved' where approval_id = ?", approval_id)
    await refused(till, approval_id, "A signed approval of Controller is missing.")


@pytest.mark.asvs("9.1.1")
async def test_a_request_signed_with_another_key_moves_nothing(till: Till) -> None:
    approval_id = await till.rows.ask(stages=(), signer=StaffSigner(FOREIGN_KEY))
    tamper(till.rows.url, "update approvals set state = 'approved' where approval_id = ?", approval_id)
    await refused(till, approval_id, "The signature is not the staff side's.")


@pytest.mark.asvs("9.1.1")
async def test_the_signature_of_another_request_does_not_serve(till: Till) -> None:
    other = await till.rows.record(await till.rows.ask(stages=()))
    approval_id = await till.rows.approved()
    tamper(till.rows.url, "update approvals set signed = ? where approval_id = ?", other.signed, approval_id)
    await refused(till, approval_id, "The stored request is not what was signed.")


async def recorded_without_check(till: Till, approval_id: str, role: str, **how: Any) -> str:
    """A decision that somebody wrote into the database as if it had been recorded."""
    decision_id = await till.rows.say(approval_id, role, **how)
    tamper(till.rows.url, "update decisions set status = 'recorded', position = 1 where decision_id = ?", decision_id)
    tamper(till.rows.url, "update approvals set state = 'approved' where approval_id = ?", approval_id)
    return decision_id


@pytest.mark.asvs("9.1.1")
async def test_an_unsigned_decision_moves_nothing(till: Till) -> None:
    approval_id = await till.rows.waiting()
    await recorded_without_check(till, approval_id, "controller", signed="")
    await refused(till, approval_id, "The signature is not the staff side's.")


@pytest.mark.asvs("9.1.1")
async def test_a_signed_request_does_not_serve_as_a_decision(till: Till) -> None:
    approval_id = await till.rows.waiting()
    signed = (await till.rows.record(approval_id)).signed
    await recorded_without_check(till, approval_id, "controller", signed=signed)
    await refused(till, approval_id, "This was not signed as a decision.")


@pytest.mark.asvs("9.1.1")
@pytest.mark.parametrize(
    ("column", "value"),
    [("person_id", "p-cfo"), ("group_name", "legal"), ("verdict", "reject"), ("amount_minor", 1), ("stage", 1)],
)
async def test_an_altered_decision_row_moves_nothing(till: Till, column: str, value: object) -> None:
    approval_id = await till.rows.approved()
    tamper(till.rows.url, f"update decisions set {column} = ? where approval_id = ?", value, approval_id)
    await refused(till, approval_id, "The stored decision is not what was signed.")


@pytest.mark.asvs("9.1.1")
async def test_a_decision_on_another_request_does_not_count(till: Till) -> None:
    approval_id, other = await till.rows.waiting(), await till.rows.waiting(500_000)
    signed = await till.rows.say(other, "controller")
    tamper(till.rows.url, "update decisions set status = 'recorded', approval_id = ?", approval_id)
    tamper(till.rows.url, "update approvals set state = 'approved' where approval_id = ?", approval_id)
    assert signed
    await refused(till, approval_id, "The stored decision is not what was signed.")


@pytest.mark.asvs("2.3.5")
async def test_a_decision_of_the_requester_moves_nothing(till: Till) -> None:
    approval_id = await till.rows.waiting(requester="p-controller")
    await recorded_without_check(till, approval_id, "controller")
    await refused(till, approval_id, "Nobody decides on their own request")


@pytest.mark.asvs("2.3.5")
async def test_a_decision_of_somebody_related_to_the_customer_moves_nothing(till: Till) -> None:
    approval_id = await till.rows.approved()
    await till.rows.change_person("controller", related_customers=frozenset({CUSTOMER}))
    await refused(till, approval_id, "related to this customer")


@pytest.mark.asvs("8.3.2")
@pytest.mark.parametrize("change", [{"groups": frozenset({Group.FINANCE})}, {"active": False}])
async def test_who_left_the_group_after_deciding_no_longer_counts(till: Till, change: dict[str, Any]) -> None:
    approval_id = await till.rows.approved()
    await till.rows.change_person("controller", **change)
    await refused(till, approval_id, "Who approved is not Controller any more.")


@pytest.mark.asvs("8.3.2")
async def test_a_limit_that_was_lowered_after_the_decision_holds(till: Till) -> None:
    approval_id = await till.rows.approved(420_000)
    await till.rows.change_person("controller", limits={"credit": 419_999})
    await refused(till, approval_id, "above what you may approve alone")


@pytest.mark.asvs("2.3.5")
async def test_one_person_on_two_seats_moves_nothing(till: Till) -> None:
    both = frozenset({Group.CONTROLLER, Group.LEGAL})
    await till.rows.add_person(Person("p-both", "Both", "both@plixo.example", both))
    approval_id = await till.rows.waiting(3_800_000, BOTH)
    await till.rows.decide(approval_id, "both", group=Group.CONTROLLER)
    second = await till.rows.say(approval_id, "both", group=Group.LEGAL, decision_id="DE-second")
    assert (await till.rows.take_up(approval_id, second)).answer == "conflict"
    tamper(till.rows.url, "update decisions set status = 'recorded', position = 2 where decision_id = ?", second)
    tamper(till.rows.url, "update approvals set state = 'approved' where approval_id = ?", approval_id)
    await refused(till, approval_id, "two different people decide")


async def test_a_rejection_beside_an_approval_moves_nothing(till: Till) -> None:
    approval_id = await till.rows.approved()
    rejection = await till.rows.say(approval_id, "controller", "reject")
    tamper(till.rows.url, "update decisions set status = 'recorded', position = 2 where decision_id = ?", rejection)
    await refused(till, approval_id, "The request was rejected, returned or withdrawn.")


async def test_a_request_that_still_waits_is_not_executed(till: Till) -> None:
    approval_id = await till.rows.waiting()
    assert (await till.execute(approval_id)).state == "waiting"
    assert till.stripe.asked == []


async def test_the_effect_never_exceeds_what_each_decision_allows(till: Till) -> None:
    approval_id = await till.rows.waiting(3_800_000, BOTH)
    till.stripe.says = facts(5_000_000, 5_000_000)
    for role, allowed in (("controller", 3_000_000), ("legal", 2_500_000), ("controller", 2_500_000)):
        said = await till.rows.decide(approval_id, role, amount_minor=allowed, decision_id=f"DE-{role}-{allowed}")
        assert said.answer == "accepted"
    await till.execute(approval_id)
    assert till.stripe.made[0][0].params["amount"] == 2_500_000


async def test_an_approval_of_more_than_was_asked_is_not_taken_up(till: Till) -> None:
    approval_id = await till.rows.waiting(420_000)
    assert (await till.rows.decide(approval_id, "controller", amount_minor=420_001)).answer == "conflict"
    assert await till.rows.state(approval_id) is State.WAITING


# The stored effect proves nothing either


@pytest.mark.asvs("9.1.1")
@pytest.mark.parametrize(
    "alter",
    [
        "params = json_set(params, '$.amount', 999999)",
        "params = json_set(params, '$.invoice', 'in_Mine')",
        "params = json_set(params, '$.credit_amount', 'much')",
        "params = json_set(params, '$.credit_amount', 420001)",
        "params = json_set(params, '$.credit_amount', -5)",
        "params = json_set(params, '$.refund_amount', 420000)",
        "params = json_set(params, '$.metadata.plixo_effect', 'EF-other')",
        "amount_minor = 999999",
        "customer_id = 'cus_Mine'",
        "kind = 'customer_balance_transaction'",
        "key = 'another'",
    ],
)
async def test_an_effect_that_was_altered_before_it_was_tried_moves_nothing(till: Till, alter: str) -> None:
    approval_id = await till.rows.approved()
    await till.killed(approval_id, "apply")
    tamper(till.rows.url, f"update effects set {alter}")
    await refused(till, approval_id, "The stored effect is not what was signed.")
    assert await till.effect(approval_id) is EffectState.REFUSED


@pytest.mark.asvs("9.1.1")
async def test_an_effect_that_was_merely_written_moves_nothing(till: Till) -> None:
    mine, approval_id = await till.rows.approved(), await till.rows.waiting(500_000)
    await till.killed(mine, "apply")
    tamper(
        till.rows.url,
        "update effects set approval_id = ?, effect_id = ?",
        approval_id,
        f"EF-{approval_id}",
    )
    tamper(till.rows.url, "update approvals set state = 'executing' where approval_id = ?", approval_id)
    await refused(till, approval_id, "A signed approval of Controller is missing.")


@pytest.mark.asvs("8.3.2")
async def test_who_left_between_two_tries_stops_the_second_when_the_first_did_nothing(till: Till) -> None:
    approval_id = await till.rows.approved()
    till.stripe.answers = [OutcomeUnknown("reset")]
    await till.fails(approval_id)
    await till.rows.change_person("controller", active=False)
    done = await till.execute(approval_id, attempt=2)
    assert (done.state, len(till.stripe.asked), till.stripe.made) == ("needs_attention", 1, [])


async def test_who_left_between_two_tries_changes_nothing_of_what_was_done(till: Till) -> None:
    approval_id = await till.rows.approved()
    till.stripe.answers = [DoneThenLost("reset")]
    await till.fails(approval_id)
    await till.rows.change_person("controller", active=False)
    till.stripe.lookups = [Unavailable("no route")]
    await till.fails(approval_id, attempt=2)
    assert await till.execute(approval_id, attempt=3) == Executed("executed", "cn_1")


async def test_two_of_one_group_must_both_allow_it(till: Till) -> None:
    two = (Stage((Seat(Group.CFO, quorum=2),), CLOCK),)
    await till.rows.add_person(Person("p-cfo-2", "CFO 2", "cfo2@plixo.example", frozenset({Group.CFO})))
    approval_id = await till.rows.approved(420_000, two, by=("cfo", "cfo_2"))
    assert (await till.execute(approval_id)).state == "executed"
    entry = next(line for line in await till.rows.trail(approval_id) if line.event == "effect_intended")
    assert sorted(entry.detail["decided_by"]) == ["p-cfo", "p-cfo-2"]
