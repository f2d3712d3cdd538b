"""What a sequence is played on; and such a house in memory: real rules and activities, no database, no Temporal."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Protocol

from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.approvals import ApprovalActivities
from activities.effects import EffectActivities
from activities.standing import standing
from plixo.directory.calendars import PeoplesCalendars
from plixo.domain.approval import ENDED, OPEN, State
from plixo.domain.decision import Decision
from plixo.domain.mandate import decision_claims
from plixo.domain.payments import Unavailable
from plixo.domain.people import Person
from plixo.messages.approvals import Decide, Executed, Recorded, Standing, Step
from plixo.ports import AuditEntry, Record, Signer, StoredDecision
from tests.sequences.books import Books, Crash, Notary, Watch, Written
from tests.sequences.world import PEOPLE
from tests.support.rows import MovableClock, PlayedStripe

AWAY: Final = Unavailable("Stripe cannot be reached.")
TRIES: Final = 25
TO_BE_DONE: Final = frozenset({State.APPROVED, State.EXECUTING})


class Stuck(AssertionError):
    """A request does not move on though something is due: it would be lost."""


class House(Protocol):
    """Where a sequence is played; the same sequence gives the same on each.

    Attributes:
        clock: The activities'.
        stripe: Played.
        people: The directory.
        signer: The staff side's.
        journal: Everything that was committed, in order.
    """

    clock: MovableClock
    stripe: PlayedStripe
    people: Mapping[str, Person]

    @property
    def signer(self) -> Signer: ...
    @property
    def journal(self) -> list[Written]: ...
    async def begin(self, record: Record) -> None:
        """Keep a signed request and start what carries it."""

    async def record(self, approval_id: str) -> Record: ...
    async def stored(self, decision_id: str) -> StoredDecision: ...
    async def keep(self, decision: Decision, signed: str) -> None:
        """Store a decision as the staff side does, before anybody is told."""

    async def tell(self, approval_id: str, decision_id: str) -> Recorded:
        """Tell the request of a decision; again, where it crashed."""

    async def change(self, person: Person) -> None: ...
    async def poke(self, name: str, step: Step) -> None:
        """Call an activity that nobody but the workflow should call."""

    async def move(self, at: datetime) -> None:
        """Let the clock be so late, and nothing else."""

    async def settle(self) -> None:
        """Let everything happen that is due, and money move where it may and Stripe answers."""

    async def behind(self) -> float:
        """By how many seconds the clock is behind the time of whatever fires timers."""

    async def crash(self, after: int, *, kept: bool) -> None:
        """Let the process die at the end of a transaction to come."""

    async def stripe_says(self, says: Any) -> None:
        """What Stripe says of invoices from now on; `AWAY` while it says nothing at all."""

    async def stripe_fails(self, answer: Exception) -> None:
        """What comes instead of the answer to one of the next writes."""


@dataclass
class Played:
    """What every house has in common."""

    clock: MovableClock = field(default_factory=MovableClock)
    stripe: PlayedStripe = field(default_factory=PlayedStripe)
    people: Mapping[str, Person] = field(default_factory=lambda: dict(PEOPLE))

    async def stripe_says(self, says: Any) -> None:
        self.stripe.says = says

    async def stripe_fails(self, answer: Exception) -> None:
        self.stripe.answers.append(answer)


@dataclass
class Engine(Played):
    """The house in memory. A loop of a few lines stands for the workflow: it calls what is due next."""

    signer: Any = field(default_factory=Notary)
    verifier: Any = None
    books: Books = field(default_factory=Books)

    def __post_init__(self) -> None:
        self.books.tables.people = dict(self.people)
        self.watch = Watch(self.books, self.clock, lambda: (self.people, self.stripe.says))
        verifier = self.verifier or self.signer
        self.approvals = ApprovalActivities(self.watch, verifier, self.clock, PeoplesCalendars())
        self.effects = EffectActivities(self.watch, self.stripe, verifier, self.clock)

    @property
    def journal(self) -> list[Written]:
        return self.watch.journal

    async def begin(self, record: Record) -> None:
        self.books.tables.approvals[record.approval.approval_id] = record
        await self._again(lambda: self.approvals.open(Step(record.approval.approval_id)))

    async def record(self, approval_id: str) -> Record:
        return self.books.tables.approvals[approval_id]

    async def stored(self, decision_id: str) -> StoredDecision:
        return self.books.tables.decisions[decision_id]

    async def keep(self, decision: Decision, signed: str) -> None:
        self.books.tables.decisions[decision.decision_id] = StoredDecision(decision, signed, "submitted", self.clock())

    async def tell(self, approval_id: str, decision_id: str) -> Recorded:
        ended = self.books.tables.approvals[approval_id].approval.state in ENDED
        if ended:
            return await self._again(lambda: self._too_late(approval_id, decision_id))
        return await self._again(lambda: self.approvals.record(Decide(approval_id, decision_id)))

    async def change(self, person: Person) -> None:
        self.people = {**self.people, person.person_id: person}
        self.books.tables.people = dict(self.people)

    async def poke(self, name: str, step: Step) -> None:
        await poke(self.approvals, name, step)

    async def move(self, at: datetime) -> None:
        self.clock.at = at

    async def settle(self) -> None:
        for approval_id in list(self.books.tables.approvals):
            await self._settle(approval_id)

    async def behind(self) -> float:
        return 0

    async def crash(self, after: int, *, kept: bool) -> None:
        self.watch.crash = (after, kept)

    async def _too_late(self, approval_id: str, decision_id: str) -> Recorded:
        """What the sweeper does where a request's workflow has come to its end."""
        async with self.watch.begin() as tx:
            stored = await tx.decision(decision_id)
            if stored is None:
                return Recorded(decision_id, "refused", "", Standing(""))
            if stored.status == "submitted":
                await tx.settle_decision(decision_id, "conflict", "It has ended.", self.clock())
                entry = AuditEntry(approval_id, "decision_conflict", stored.decision.person_id)
                await tx.audit(entry, self.clock())
        status = self.books.tables.decisions[decision_id].status
        return Recorded(decision_id, "already_received" if status == "recorded" else status, "", Standing(""))

    async def _settle(self, approval_id: str) -> None:
        for attempt in range(1, TRIES):
            record = await self.record(approval_id)
            if record.approval.state in TO_BE_DONE:
                if self.stripe.says is AWAY:
                    return
                await self._execute(approval_id, attempt)
            elif is_due(record, self.clock()):
                await self._act(record)
            else:
                return
        raise Stuck(f"{approval_id} is {record.approval.state}, and what is due does not go away")

    async def _act(self, record: Record) -> None:
        """What the workflow does when its timer fires."""
        known = standing(record)
        state = known.state if known.next_event == "expire" else ""
        step = Step(record.approval.approval_id, known.stage, known.round, known.next_at, state)
        calls = {"remind": self.approvals.remind, "escalate": self.approvals.escalate}
        await self._again(lambda: calls.get(known.next_event, self.approvals.expire)(step))

    async def _execute(self, approval_id: str, attempt: int) -> None:
        env = ActivityEnvironment()
        env.info = replace(env.info, attempt=attempt)
        try:
            done: Executed = await self._again(lambda: env.run(self.effects.execute, Step(approval_id)))
        except ApplicationError as failure:
            if failure.non_retryable:
                raise
            return
        if done.reopens:
            await self._again(lambda: self.approvals.open(Step(approval_id)))

    async def _again(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Call it, and once more where the process died in it: as Temporal does."""
        try:
            return await call()
        except Crash:
            return await call()


def is_due(record: Record, now: datetime) -> bool:
    """Whether the request's own clock says that something should have happened by now."""
    known = standing(record)
    waits = known.state in OPEN and known.next_event not in {"", "nothing"}
    return waits and known.next_at <= now.timestamp()


async def poke(approvals: ApprovalActivities, name: str, step: Step) -> None:
    calls = {"open": approvals.open, "remind": approvals.remind, "escalate": approvals.escalate}
    try:
        await calls.get(name, approvals.expire)(step)
    except Crash:
        return  # whoever calls by hand is not called again
    except ApplicationError as early:
        if early.type != "not_due":
            raise


def signed_token(signer: Signer, decision: Decision, now: datetime) -> str:
    return signer.sign("decision", decision_claims(decision), now=now)
