"""An approval, from the signed request to its effect; whatever is asked for."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.approvals import ApprovalActivities
    from activities.effects import EffectActivities
    from plixo.domain.approval import OPEN, State
    from plixo.domain.ids import approval_of_workflow
    from plixo.messages.approvals import (
        STRIPE_QUEUE,
        ApprovalOutcome,
        ApprovalRequest,
        Decide,
        Decided,
        Executed,
        Recorded,
        Standing,
        Step,
    )

from workflows import attributes, policies

UNREADABLE: Final = Decide.unreadable()
UNTOLD: Final = ApprovalRequest.unreadable()

AT_ONCE: Final = 20
"""Signals that are taken up at a time. Of thousands that came at once, each would make the step longer in which all of
them begin, and a step that takes two seconds is thrown away and begun again."""

MOST_CARRIED: Final = 500
"""How many decisions a new run is told of; far more than people ever take, and less than a message may hold."""


@workflow.defn
class ApprovalWorkflow:
    """Carries one request from its signed row to Stripe.

    It is told ids and no more; what they mean is read from the signed rows by the activities. Where its history has
    become long it goes on in a new run, which begins like the first: where the request stands is in its rows.

    Messages:
        decide (update), submit_decision (signal): take up a stored decision; both take `Decide`.
        withdraw (update), submit_withdrawal (signal): take up a stored withdrawal; the same shape.
        standing (query): where the request stands.
        decided (query): what was recorded, in the order it was taken up.
    """

    @workflow.init
    def __init__(self, request: ApprovalRequest = UNTOLD) -> None:
        """Nothing stands until the request is opened."""
        self._approval_id = request.approval_id or approval_of_workflow(workflow.info().workflow_id)
        self._standing = Standing(State.ROUTING.value)
        self._opened = False
        self._decided: list[Recorded] = list(request.decided)
        self._reminded: set[tuple[int, int]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._moved = False

    @workflow.run
    async def run(self, request: ApprovalRequest = UNTOLD) -> ApprovalOutcome:  # noqa: ARG002 - taken up when the workflow is made
        """Open it, wait for decisions, apply it; what comes back right before its effect is opened again."""
        await self._open()
        await self._wait_for_people()
        while (executed := await self._apply_in_stripe()).reopens:
            self._standing = replace(self._standing, state=State.RETURNED.value, next_event="")  # until it is read
            await self._open()
            await self._wait_for_people()
        self._say(f"**{State(executed.state).label}.** {executed.why}")
        self._call_for_attention(executed)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return ApprovalOutcome(self._approval_id, executed.state, executed.stripe_object, executed.why)

    @workflow.update
    async def decide(self, decision: Decide) -> Recorded:
        """Take up a stored decision and say what became of it."""
        return await self._take_up(decision)

    @decide.validator
    def validate_decide(self, decision: Decide) -> None:
        """Refuse what is misshapen; whether it is signed and allowed is checked where it is recorded."""
        self._check_shape(decision)

    @workflow.update
    async def withdraw(self, withdrawal: Decide) -> Recorded:
        """Take up a stored withdrawal and say what became of it."""
        return await self._take_up(withdrawal)

    @withdraw.validator
    def validate_withdraw(self, withdrawal: Decide) -> None:
        """Refuse what is misshapen."""
        self._check_shape(withdrawal)

    @workflow.signal
    async def submit_decision(self, decision: Decide) -> None:
        """Take up a stored decision; nobody waits for the answer."""
        await self._take_up_quietly(decision)

    @workflow.signal
    async def submit_withdrawal(self, withdrawal: Decide) -> None:
        """Take up a stored withdrawal; nobody waits for the answer."""
        await self._take_up_quietly(withdrawal)

    @workflow.query
    def standing(self) -> Standing:
        """Where the request stands."""
        return self._standing

    @workflow.query
    def decided(self) -> Decided:
        """What was recorded, in the order it was taken up."""
        return Decided(tuple(self._decided))

    async def _open(self) -> None:
        self._say("Checking the signed request and finding its path.")
        standing = await workflow.execute_activity_method(
            ApprovalActivities.open,
            Step(self._approval_id),
            start_to_close_timeout=policies.DATABASE_TIMEOUT,
            retry_policy=policies.DATABASE,
            summary="Check the signed request and find its path",
        )
        # What came back may have been amended, and taken up, while it was opened again.
        if not self._opened or _order(standing) >= _order(self._standing):
            self._standing = standing
        self._opened = True

    async def _wait_for_people(self) -> None:
        """One timer at a time: the next due event of what is waited for, whatever it is."""
        shown: tuple[str, int, int] | None = None
        while self._waits():
            if self._is_long():
                await self._go_on_in_a_new_run()
                continue
            if self._where() != shown:
                self._show_who_is_asked()
                shown = self._where()
            await self._until_next_event()

    def _waits(self) -> bool:
        """Whether it lies with people; what was returned before that was kept ended with it."""
        now = self._standing
        return now.state == State.WAITING or (now.state in OPEN and bool(now.next_event))

    def _where(self) -> tuple[str, int, int]:
        return self._standing.state, self._standing.round, self._standing.stage

    async def _until_next_event(self) -> None:
        where = self._where()
        stage = where[1:]
        event, at = self._next_event(stage)
        try:
            await workflow.wait_condition(
                lambda: self._where() != where or self._is_long(),
                timeout=timedelta(seconds=max(at - workflow.now().timestamp(), 0.001)) if event in _WORDS else None,
                timeout_summary=_WORDS.get(event, "{}").format(self._standing.waits_for),
            )
        except TimeoutError:
            self._moved = True
            await {"remind": self._remind, "escalate": self._escalate}.get(event, self._expire)(stage)

    def _is_long(self) -> bool:
        """Whether Temporal suggests a new run; one that did nothing yet would only be followed by another like it."""
        return self._moved and workflow.info().is_continue_as_new_suggested()

    async def _go_on_in_a_new_run(self) -> None:
        """Every message that came is answered first; where one of them ended the waiting, this run goes on."""
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._waits():
            carried = [replace(one, standing=Standing("")) for one in self._decided[-MOST_CARRIED:]]
            workflow.continue_as_new(ApprovalRequest(self._approval_id, tuple(carried)))

    def _next_event(self, stage: tuple[int, int]) -> tuple[str, int]:
        """What is due next, and when; a stage that began before that was kept reminds once and then expires."""
        now = self._standing
        if now.next_event:
            return now.next_event, now.next_at
        return ("expire", now.expire_at) if stage in self._reminded else ("remind", now.remind_at)

    async def _remind(self, stage: tuple[int, int]) -> None:
        self._reminded.add(stage)
        standing = await workflow.execute_activity_method(
            ApprovalActivities.remind,
            Step(self._approval_id, stage[1], stage[0], self._standing.next_at),
            start_to_close_timeout=policies.DATABASE_TIMEOUT,
            retry_policy=policies.DATABASE,
            summary=f"Remind {self._standing.waits_for}",
        )
        self._take_over(standing)

    async def _escalate(self, stage: tuple[int, int]) -> None:
        standing = await workflow.execute_activity_method(
            ApprovalActivities.escalate,
            Step(self._approval_id, stage[1], stage[0], self._standing.next_at),
            start_to_close_timeout=policies.DATABASE_TIMEOUT,
            retry_policy=policies.DATABASE,
            summary=f"Let others decide in place of {self._standing.waits_for}",
        )
        self._take_over(standing)

    async def _expire(self, stage: tuple[int, int]) -> None:
        standing = await workflow.execute_activity_method(
            ApprovalActivities.expire,
            Step(self._approval_id, stage[1], stage[0], self._standing.next_at, self._standing.state),
            start_to_close_timeout=policies.DATABASE_TIMEOUT,
            retry_policy=policies.DATABASE,
            summary="Nobody acted in time",
        )
        self._take_over(standing)

    async def _apply_in_stripe(self) -> Executed:
        if self._standing.state not in {State.APPROVED, State.EXECUTING}:
            return Executed(self._standing.state)
        self._say("Approved. **Applying it in Stripe**; retried until Stripe answers, never done twice.")
        return await workflow.execute_activity_method(
            EffectActivities.execute,
            Step(self._approval_id),
            task_queue=STRIPE_QUEUE,
            start_to_close_timeout=policies.MONEY_TIMEOUT,
            heartbeat_timeout=policies.MONEY_HEARTBEAT,
            retry_policy=policies.MONEY,
            summary="Apply in Stripe, exactly once",
        )

    def _call_for_attention(self, executed: Executed) -> None:
        """What is closed is found by its attributes alone."""
        if executed.state == State.NEEDS_ATTENTION:
            self._find_by([attributes.WAITS_FOR.value_set([executed.state])])

    async def _take_up(self, message: Decide) -> Recorded:
        """Record a decision once the request is open; one that comes earlier waits here."""
        await workflow.wait_condition(lambda: self._opened)
        self._moved = True
        recorded = await workflow.execute_local_activity_method(
            ApprovalActivities.record,
            message,
            start_to_close_timeout=policies.RECORDING_TIMEOUT,
            retry_policy=policies.RECORDING,
            summary="Record the signed decision",
        )
        known = any(one.decision_id == recorded.decision_id for one in self._decided)
        if recorded.answer in {"accepted", "already_received"} and not known:
            self._decided.append(recorded)
        self._take_over(recorded.standing)
        return recorded

    async def _take_up_quietly(self, message: object) -> None:
        """As `_take_up`; a failure is left to the sweeper, since an error here would fail the whole request.

        Anybody may have sent anything. What could not be read takes the same steps as what could, so that the history
        replays with a key that was missing when it came; recording refuses it and keeps a trace.
        """
        self._moved = True
        message = message if isinstance(message, Decide) else UNREADABLE
        if message == UNREADABLE:
            message = Decide(self._approval_id, UNREADABLE.decision_id)
        if message.approval_id != self._approval_id:
            workflow.logger.warning("a decision for another request was passed over")
            return
        try:
            async with self._turn():
                await self._take_up(message)
        except (ActivityError, ApplicationError):
            workflow.logger.warning("a decision could not be recorded; the sweeper will send it again")

    def _take_over(self, standing: Standing) -> None:
        """Answers may arrive in another order than the database gave them: the later standing holds."""
        if standing.state and self._standing.state in OPEN and _order(standing) >= _order(self._standing):
            before, self._standing = self._standing, standing
            if self._waits():
                self._say_who_is_asked()
                self._show_who_is_left(before)

    def _check_shape(self, message: Decide) -> None:
        if message.approval_id != self._approval_id:
            raise ApplicationError("the decision names another request", type="decision_for_something_else")
        if not 0 < len(message.decision_id) <= 100:  # noqa: PLR2004 - an id's length
            raise ApplicationError("the decision id is missing or too long", type="decision_id_invalid")

    def _show_who_is_asked(self) -> None:
        self._say_who_is_asked()
        due = datetime.fromtimestamp(self._standing.due, UTC)
        self._find_by([attributes.WAITS_FOR.value_set(list(self._standing.groups)), attributes.DUE.value_set(due)])

    def _show_who_is_left(self, before: Standing) -> None:
        """Of several who are asked at once, whoever has decided is asked no more."""
        now = self._standing
        same = (before.state, before.round, before.stage) == self._where()
        if same and before.groups != now.groups:
            self._show_who_is_asked()

    def _find_by(self, wanted: Sequence[SearchAttributeUpdate[Any]]) -> None:
        """Each update is an action, and a new run has the attributes of the one before."""
        known = workflow.info().typed_search_attributes
        new = [update for update in wanted if known.get(update.key) != update.value]
        if new:
            workflow.upsert_search_attributes(new)

    def _turn(self) -> AbstractAsyncContextManager[None]:
        return self._turns

    def _say_who_is_asked(self) -> None:
        now = self._standing
        if now.state != State.WAITING:
            self._say(f"**{State(now.state).label}**: lies with {now.waits_for} until {_moment(now.due)}.")
            return
        self._say(
            f"**Waiting on {now.waits_for}** since {_moment(now.since)}.\n\n"
            f"- answer due: {_moment(now.due)}\n- reminder: {_moment(now.remind_at)}\n"
            f"- returned to its requester: {_moment(now.expire_at)}{self._stand_ins()}",
        )

    def _stand_ins(self) -> str:
        now = self._standing
        said = f"\n- may decide as well by now: {now.stand_ins}" if now.stand_ins else ""
        said += f"\n- others may decide as well: {_moment(now.next_at)}" if now.next_event == "escalate" else ""
        earlier = workflow.info().continued_run_id
        return f"{said}\n- goes on from the run {earlier}" if earlier else said

    def _say(self, words: str) -> None:
        """Keep what Temporal UI shows in step with what is going on."""
        workflow.set_current_details(words)


def _order(standing: Standing) -> tuple[int, int, int, int]:
    """Grows with each step that a request takes; time alone leads only away from `waiting`, and then to an end."""
    settled = {State.WAITING: 0, State.NEEDS_INFORMATION: 0, State.RETURNED: 1}.get(State(standing.state), 2)
    return standing.round, len(standing.recorded), standing.stage, settled


_WORDS: Final = {
    "remind": "Remind {}",
    "escalate": "Let others decide in place of {}",
    "expire": "Give up unless {} acts",
}


def _moment(seconds: int) -> str:
    if not seconds:
        return "never"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
