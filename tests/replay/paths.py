"""Every path of every workflow, played on the whole house; what each leaves in Temporal is recorded."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError

from demo.waiting import until
from plixo.bootstrap import now
from plixo.domain.approval import State
from plixo.domain.decision import Verdict
from plixo.messages.approvals import APPROVALS_QUEUE, ApprovalRequest, Decide
from plixo.messages.audit import CheckpointAsked
from plixo.messages.digests import DigestWritten
from plixo.policy.published import PublishedPolicy
from plixo.ports import Ledger, StoredDecision, Transaction
from plixo.signing.tokens import StaffSigner
from plixo.store import decisions
from starters.amending import AmendForm, _amend
from starters.credits import Asked, request_credit
from starters.decisions import Saying, _sign, decide, send
from starters.revival import latest_run, take_up_again
from tests.support.house import House, credit_form
from tests.support.operating import points, reset, run_of
from tests.support.rows import FOREIGN_KEY, RoundTheClock
from workers.main import working
from workflows.approval import ApprovalWorkflow
from workflows.checkpoint import CheckpointWorkflow
from workflows.digest import DigestWorkflow
from workflows.schedules import DIGEST

FORGED: Final = "CR-AAAAAAAAAAAAAAAAAAAAAAAAAA"
INVOICE: Final = "in_ExampleLogistics0042"


@dataclass
class OwnClock:
    """What time it is on the staff side and for the activities; a path may put it back or forward."""

    off: timedelta = timedelta(0)

    def __call__(self) -> Any:
        return now() + self.off

    def back(self, **how_far: float) -> None:
        self.off = -timedelta(**how_far)

    def right(self) -> None:
        self.off = timedelta(0)


@dataclass
class Leaving:
    """The activities' database, which a path may take away.

    Attributes:
        ledger: The real one.
        away: Whether it is gone.
    """

    ledger: Ledger
    away: bool = False

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        if self.away:
            raise OSError("the database is away")
        return self.ledger.begin()


@dataclass
class Play:
    """What a path is played with; nobody works until it opens `working()`."""

    name: str
    house: House
    clock: OwnClock = field(default_factory=OwnClock)
    run_id: str | None = None
    """The run whose history is recorded; the latest unless a path says so."""

    def __post_init__(self) -> None:
        self.database = Leaving(self.house.workshop.ledger)
        approvals = self.house.workshop.approvals
        acts = replace(approvals, clock=self.clock, ledger=self.database, calendars=RoundTheClock())
        desk = replace(self.house.desk, clock=self.clock)
        self.house = replace(
            self.house,
            staff=replace(self.house.staff, desk=desk),
            workshop=replace(self.house.workshop, approvals=acts),
        )

    def let_policy_say(self, *words: str) -> None:
        """The published policy with other words in it, for what is asked from now on."""
        desk = self.house.desk
        content = desk.policy.content
        for old, new in zip(words[::2], words[1::2], strict=True):
            assert old in content
            content = content.replace(old, new)
        policy = PublishedPolicy.from_content(content, desk.policy.version)
        self.house = replace(self.house, staff=replace(self.house.staff, desk=replace(desk, policy=policy)))

    def working(self) -> AbstractAsyncContextManager[None]:
        return working(self.house.workshop)

    async def ask(self, amount: str = "4200.00", **fields: str) -> Asked:
        """The request's id follows from the path's name, so that it is the same in each recording."""
        return await self.house.ask(amount, **{"request_id": f"replay-{self.name}", **fields})

    async def waiting(self, amount: str = "4200.00", **fields: str) -> Asked:
        asked = await self.ask(amount, **fields)
        await self.house.until_waiting(asked)
        return asked

    async def both(self) -> Asked:
        return await self.waiting("38000.00", reason="contract_concession", customer="cus_ExampleFoods")

    async def series(self) -> Asked:
        """With what others ask of this requester's day, the CFO must agree as well."""
        fields = {"reason": "contract_concession", "customer": "cus_ExampleFoods", "request_id": "replay-before"}
        await self.house.ask("38000.00", **fields)
        return await self.waiting("20000.00")

    async def decide(self, asked: Asked, role: str, verdict: str = "approve", answer: str = "accepted") -> None:
        said = await self.house.decide(asked, role, verdict)
        assert said.answer == answer, said.why

    async def signed(self, asked: Asked, role: str, verdict: str = "approve") -> StoredDecision:
        """A decision that is kept while Temporal was not told of it."""
        desk = self.house.desk
        record = await self.house.record(asked)
        saying = Saying(self.house.people[role], Verdict(verdict), "because", desk.clock())
        async with desk.ledger.begin() as tx:
            decision_id = await _sign(desk, tx, record, saying)
        async with desk.ledger.read() as session:
            stored = await decisions.load(session, decision_id)
        assert stored is not None
        return stored

    async def amend(self, asked: Asked, **typed: Any) -> None:
        said = await self.house.amend(asked, **typed)
        assert said.answer == "accepted", said.why

    async def amendment(self, asked: Asked, **typed: Any) -> StoredDecision:
        """An amendment that is kept while Temporal was not told of it."""
        desk, approval_id = self.house.desk, asked.record.approval.approval_id
        saying = Saying(self.house.people["billing_admin"], Verdict.AMEND, "because", desk.clock())
        _, decision_id = await _amend(desk, approval_id, saying, AmendForm(**typed), None)
        async with desk.ledger.read() as session:
            stored = await decisions.load(session, decision_id)
        assert stored is not None
        return stored

    async def send(self, stored: StoredDecision) -> None:
        assert await send(self.house.desk.ledger, self.house.desk.temporal, stored.decision, self.clock)

    async def taken_up_again(self, asked: Asked) -> None:
        desk, approval_id = self.house.desk, asked.record.approval.approval_id
        run = await latest_run(desk.temporal, approval_id)
        assert await take_up_again(desk.ledger, desk.temporal, run, self.clock)
        assert (await latest_run(desk.temporal, approval_id)).run_id != run.run_id

    async def until_event(self, asked: Asked, event: str, times: int = 1) -> None:
        async def seen() -> bool:
            return (await self.house.events(asked)).count(event) >= times

        await until(f"{event} {times} times", seen)

    async def given_up(self, asked: Asked, timers: int) -> str:
        """It comes back to its requester, who withdraws it."""
        await self.house.until_state(asked, State.RETURNED)
        await self.until_event(asked, "TIMER_STARTED", timers)
        await self.decide(asked, "billing_admin", "withdraw")
        return await self.ended(asked, State.WITHDRAWN)

    async def ended(self, asked: Asked, state: State) -> str:
        record = await self.house.until_ended(asked)
        assert record.approval.state is state, (record.approval.state, record.why)
        return record.approval.approval_id


Playing = Callable[[Play], Awaitable[str]]


@dataclass(frozen=True)
class Path:
    """One way through the workflow.

    Attributes:
        play: Plays it; the id of the request whose history is recorded.
        idle: It opens the workers itself.
        prefix: What comes before that id in the workflow's.
        server: Settings of the Temporal server's dynamic configuration.
    """

    play: Playing
    idle: bool = False
    prefix: str = "credit/"
    server: Mapping[str, float] = field(default_factory=dict)


PATHS: Final[dict[str, Path]] = {}


def path(play: Playing) -> Playing:
    PATHS[play.__name__] = Path(play)
    return play


def long_path(play: Playing) -> Playing:
    """On a server that soon suggests another run."""
    PATHS[play.__name__] = Path(play, server={"limit.historyCount.suggestContinueAsNew": 40})
    return play


def idle_path(play: Playing) -> Playing:
    PATHS[play.__name__] = Path(play, idle=True)
    return play


def other_path(play: Playing) -> Playing:
    """Not a credit's: what it answers is the workflow's own id."""
    PATHS[play.__name__] = Path(play, prefix="")
    return play


@path
async def automatic(play: Play) -> str:
    return await play.ended(await play.ask("180.00", reason="duplicate_charge"), State.EXECUTED)


@path
async def one_approver(play: Play) -> str:
    asked = await play.waiting(invoice=INVOICE)
    await play.decide(asked, "controller")
    return await play.ended(asked, State.EXECUTED)


@path
async def both_controller_first(play: Play) -> str:
    asked = await play.both()
    await play.decide(asked, "controller")
    await play.decide(asked, "legal")
    return await play.ended(asked, State.EXECUTED)


@path
async def both_legal_first(play: Play) -> str:
    asked = await play.both()
    await play.decide(asked, "legal")
    await play.decide(asked, "controller")
    return await play.ended(asked, State.EXECUTED)


@path
async def both_half_decided_then_rejected(play: Play) -> str:
    asked = await play.both()
    await play.decide(asked, "controller")
    await play.decide(asked, "legal", "reject")
    return await play.ended(asked, State.REJECTED)


@path
async def series_controller_then_cfo(play: Play) -> str:
    asked = await play.series()
    await play.decide(asked, "controller")
    await play.until_event(asked, "TIMER_STARTED", 2)
    await play.decide(asked, "cfo")
    return await play.ended(asked, State.EXECUTED)


@path
async def series_reminded_in_the_second_stage(play: Play) -> str:
    asked = await play.series()
    play.clock.back(hours=8, seconds=-5)  # the CFO is reminded after eight hours
    await play.decide(asked, "controller")
    play.clock.right()
    await play.until_event(asked, "TIMER_FIRED")
    await play.until_event(asked, "TIMER_STARTED", 3)
    await play.decide(asked, "cfo")
    return await play.ended(asked, State.EXECUTED)


@path
async def rejected(play: Play) -> str:
    asked = await play.waiting()
    await play.decide(asked, "controller", "reject")
    return await play.ended(asked, State.REJECTED)


@path
async def withdrawn(play: Play) -> str:
    asked = await play.waiting()
    await play.decide(asked, "billing_admin", "withdraw")
    return await play.ended(asked, State.WITHDRAWN)


@path
async def reminded_then_decided(play: Play) -> str:
    play.clock.back(hours=4, seconds=-5)  # the Controller is reminded after four hours
    asked = await play.waiting()
    play.clock.right()
    await play.until_event(asked, "TIMER_STARTED", 2)
    await play.decide(asked, "controller")
    return await play.ended(asked, State.EXECUTED)


@path
async def escalated_then_decided_by_a_delegate(play: Play) -> str:
    play.let_policy_say("[4,7]", "[8]")
    play.clock.back(hours=8, seconds=-5)  # after eight hours the Controller's delegate may decide as well
    asked = await play.waiting()
    play.clock.right()
    await play.until_event(asked, "TIMER_STARTED", 3)
    await play.decide(asked, "cfo")
    return await play.ended(asked, State.EXECUTED)


@path
async def handed_on_nudged_and_decided_by_the_colleague(play: Play) -> str:
    """Neither handing on nor a nudge is a step of the workflow's: it takes them up as it takes up a decision."""
    asked = await play.waiting()
    saying = Saying(play.house.people["controller"], Verdict.DELEGATE, "", play.clock(), to="p-finance")
    handed = await decide(play.house.desk, asked.record.approval.approval_id, saying)
    assert handed.answer == "accepted", handed.why
    await play.decide(asked, "billing_admin", "nudge")
    await play.decide(asked, "finance")
    return await play.ended(asked, State.EXECUTED)


@path
async def expired(play: Play) -> str:
    steps = '"escalation":[{"after_hours":8,"to":"delegate"},{"after_hours":16,"to":"cfo"}],'
    play.let_policy_say(f'{steps}"expire_hours":40,"remind_hours":[4,7]', '"expire_hours":8,"remind_hours":[8]')
    play.clock.back(hours=8, seconds=-5)  # and after eight hours it goes back
    asked = await play.waiting()
    play.clock.right()
    return await play.given_up(asked, timers=3)


@path
async def returned_because_facts_changed(play: Play) -> str:
    asked = await play.waiting(invoice=INVOICE)
    await play.house.stripe("POST", f"/v1/invoices/{INVOICE}/void")
    await play.decide(asked, "controller")
    return await play.given_up(asked, timers=2)


@path
async def needs_attention(play: Play) -> str:
    """Stripe goes away right before the write, and meanwhile somebody voids the invoice."""
    asked = await play.waiting(invoice=INVOICE)
    await play.house.fault("reset_before")
    await play.decide(asked, "controller")
    await play.house.until_state(asked, State.EXECUTING)
    await play.house.stripe("POST", f"/v1/invoices/{INVOICE}/void")
    return await play.ended(asked, State.NEEDS_ATTENTION)


@path
async def forged_in_between(play: Play) -> str:
    """Somebody with access to the namespace sends decisions that nobody signed, and one for another request."""
    asked = await play.waiting()
    approval_id = asked.record.approval.approval_id
    handle = play.house.workflow(asked)
    forged = Decide(approval_id, "DE-forged")
    answer = await handle.execute_update(ApprovalWorkflow.decide, forged, id="forged-update")
    assert answer.answer == "refused"
    await handle.signal(ApprovalWorkflow.submit_decision, replace(forged, decision_id="DE-forged-too"))
    await play.until_event(asked, "MARKER_RECORDED", 2)
    await handle.signal(ApprovalWorkflow.submit_decision, Decide(FORGED, "DE-forged"))
    await play.decide(asked, "controller")
    return await play.ended(asked, State.EXECUTED)


@path
async def unreadable_in_between(play: Play) -> str:
    """Somebody with access to the namespace, and without our keys, sends what is no message at all."""
    asked = await play.waiting()
    stranger = await Client.connect(play.house.stack.settings.temporal_address)
    handle = stranger.get_workflow_handle(play.house.workflow(asked).id)
    await handle.signal("submit_decision", "approve it")
    await handle.signal("submit_withdrawal", args=[1, 2])
    await play.until_event(asked, "MARKER_RECORDED", 2)
    await play.decide(asked, "controller")
    return await play.ended(asked, State.EXECUTED)


@path
async def decided_by_signal(play: Play) -> str:
    asked = await play.waiting()
    await play.send(await play.signed(asked, "controller"))
    return await play.ended(asked, State.EXECUTED)


@path
async def withdrawn_by_signal(play: Play) -> str:
    asked = await play.waiting()
    await play.send(await play.signed(asked, "billing_admin", "withdraw"))
    return await play.ended(asked, State.WITHDRAWN)


@path
async def update_failed_then_sent_again(play: Play) -> str:
    """The database is away for longer than a recording may take; what is kept is sent again."""
    asked = await play.waiting()
    stored = await play.signed(asked, "controller")
    message = Decide(asked.record.approval.approval_id, stored.decision.decision_id)
    play.database.away = True
    with suppress(WorkflowUpdateFailedError):
        await play.house.workflow(asked).execute_update(ApprovalWorkflow.decide, message, id=message.decision_id)
        raise AssertionError("it was recorded in a database that is away")
    play.database.away = False
    await play.send(stored)
    return await play.ended(asked, State.EXECUTED)


@path
async def signal_failed_then_sent_again(play: Play) -> str:
    """Neither the update nor the signal after it can be recorded: the request waits, and is told once more."""
    asked = await play.waiting()
    play.database.away = True
    await play.decide(asked, "controller", answer="kept")
    await play.until_event(asked, "MARKER_RECORDED", 2)
    play.database.away = False
    async with play.house.desk.ledger.begin() as tx:
        (stored,) = await tx.decisions(asked.record.approval.approval_id)
    await play.send(stored)
    return await play.ended(asked, State.EXECUTED)


@path
async def retried_effect(play: Play) -> str:
    """Stripe did it, and its answer was lost."""
    asked = await play.waiting(invoice=INVOICE)
    await play.house.fault("reset_after")
    await play.decide(asked, "controller")
    return await play.ended(asked, State.EXECUTED)


@path
async def taken_up_again_half_decided(play: Play) -> str:
    """An operator terminated it, and a new run goes on: what was decided before stands in the rows."""
    asked = await play.both()
    await play.decide(asked, "controller")
    await play.house.workflow(asked).terminate()
    await play.taken_up_again(asked)
    await play.house.until_waiting(asked)
    await play.decide(asked, "legal")
    return await play.ended(asked, State.EXECUTED)


@path
async def taken_up_again_while_it_was_applied(play: Play) -> str:
    """Stripe did it, nobody heard of it, and an operator terminated the workflow before the next try."""
    asked = await play.waiting(invoice=INVOICE)
    await play.house.fault("reset_after")
    await play.decide(asked, "controller")
    await play.house.until_state(asked, State.EXECUTING)
    await play.house.workflow(asked).terminate()
    await play.taken_up_again(asked)
    return await play.ended(asked, State.EXECUTED)


@path
async def returned_then_amended(play: Play) -> str:
    asked = await play.waiting()
    await play.decide(asked, "controller", "return")
    await play.amend(asked, note="The outage of May and that of June.")
    await play.decide(asked, "controller")
    return await play.ended(asked, State.EXECUTED)


@path
async def amended_to_less_half_decided(play: Play) -> str:
    """What the Controller approved before is kept."""
    asked = await play.both()
    await play.decide(asked, "controller")
    await play.amend(asked, amount="30000.00")
    await play.decide(asked, "legal")
    return await play.ended(asked, State.EXECUTED)


@path
async def amended_until_nobody_is_asked(play: Play) -> str:
    asked = await play.waiting("400.00", reason="fraud")
    await play.amend(asked, reason="goodwill")
    return await play.ended(asked, State.EXECUTED)


@path
async def amended_right_before_its_effect(play: Play) -> str:
    """Signed while it waited, told after the last approval: the effect waits for it, and then everybody is asked."""
    asked = await play.waiting()
    stored = await play.amendment(asked, amount="5000.00")
    await play.decide(asked, "controller")
    await play.send(stored)
    await play.house.until_state(asked, State.WAITING)
    await play.decide(asked, "controller")
    return await play.ended(asked, State.EXECUTED)


@path
async def reset_half_decided(play: Play) -> str:
    """An operator resets it to before its first decision, which Temporal hands to the new run once more."""
    asked = await play.both()
    await play.decide(asked, "controller")
    await reset(play.house, asked, (await points(play.house, asked))[1])
    await play.until_event(asked, "MARKER_RECORDED")
    await play.decide(asked, "legal")
    return await play.ended(asked, State.EXECUTED)


async def gone_on(play: Play) -> tuple[Asked, str]:
    """One that went on in another run after one of two had decided; and its first run."""
    asked = await play.both()
    await play.decide(asked, "controller")
    first = await run_of(play.house, asked)
    numbers = itertools.count()

    async def another() -> bool:
        forged = Decide(asked.record.approval.approval_id, f"DE-forged-{next(numbers)}")
        await play.house.workflow(asked).signal(ApprovalWorkflow.submit_decision, forged)
        return await run_of(play.house, asked) != first

    await until("another run", another, every=0.3)
    return asked, first


@long_path
async def gone_on_in_another_run(play: Play) -> str:
    asked, play.run_id = await gone_on(play)
    return asked.record.approval.approval_id


@long_path
async def gone_on_and_then_decided(play: Play) -> str:
    asked, _ = await gone_on(play)
    await play.until_event(asked, "TIMER_STARTED")
    await play.decide(asked, "legal")
    return await play.ended(asked, State.EXECUTED)


@path
async def asked_and_answered(play: Play) -> str:
    asked = await play.waiting()
    await play.decide(asked, "controller", "ask")
    await play.until_event(asked, "TIMER_STARTED", 2)
    await play.decide(asked, "billing_admin", "answer")
    await play.until_event(asked, "TIMER_STARTED", 3)
    await play.decide(asked, "controller")
    return await play.ended(asked, State.EXECUTED)


@path
async def returned_then_withdrawn(play: Play) -> str:
    asked = await play.waiting()
    await play.decide(asked, "controller", "return")
    return await play.given_up(asked, timers=2)


@idle_path
async def row_nobody_signed(play: Play) -> str:
    """Somebody who can write to the database alone wrote it: it is withdrawn, and the workflow completes."""
    forger = replace(play.house.desk, signer=StaffSigner(FOREIGN_KEY))
    form = credit_form(amount="180.00", reason="duplicate_charge", request_id=f"replay-{play.name}")
    asked = await request_credit(forger, play.house.people["billing_admin"], form)
    async with play.working():
        return await play.ended(asked, State.WITHDRAWN)


@idle_path
async def early_signal_before_any_worker(play: Play) -> str:
    asked = await play.ask()
    early = Decide(asked.record.approval.approval_id, "DE-forged")
    await play.house.workflow(asked).signal(ApprovalWorkflow.submit_decision, early)
    async with play.working():
        await play.house.until_waiting(asked)
        await play.decide(asked, "controller")
        return await play.ended(asked, State.EXECUTED)


@idle_path
async def opened_too_late(play: Play) -> str:
    """No worker was up for longer than a signature lasts."""
    play.clock.back(days=8)
    asked = await play.ask()
    play.clock.right()
    async with play.working():
        return await play.given_up(asked, timers=1)


@path
async def forged_start(play: Play) -> str:
    handle = await play.house.workshop.temporal.start_workflow(
        ApprovalWorkflow.run,
        ApprovalRequest(FORGED),
        id=f"credit/{FORGED}",
        task_queue=APPROVALS_QUEUE,
    )
    with suppress(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), 10)
        raise AssertionError("a forged start went through")
    return FORGED


@other_path
async def checkpoint_asked(play: Play) -> str:
    """As Temporal's schedule starts it."""
    asked = await play.house.workshop.temporal.execute_workflow(
        CheckpointWorkflow.__name__, id="audit-checkpoint", task_queue=APPROVALS_QUEUE, result_type=CheckpointAsked
    )
    assert asked == CheckpointAsked("audit-checkpoint", "asked")
    return "audit-checkpoint"


@other_path
async def digest_of_a_quiet_week(play: Play) -> str:
    """As Temporal's schedule starts it; its letters are the outbox's, and never in a history."""
    written = await play.house.workshop.temporal.execute_workflow(
        DigestWorkflow.__name__, id=DIGEST, task_queue=APPROVALS_QUEUE, result_type=DigestWritten
    )
    assert (written.letters, written.state) == (0, "nothing")
    return DIGEST
