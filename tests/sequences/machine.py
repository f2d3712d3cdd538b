"""The rules: whatever can happen to requests, in any order. Each takes plain numbers, so that a sequence can be kept."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from activities.standing import standing
from plixo.domain.approval import ENDED, OPEN, Approval, State
from plixo.domain.decision import Decision, Verdict
from plixo.domain.effects import Amounts
from plixo.domain.ids import approval_id
from plixo.domain.mandate import SignedRequest
from plixo.domain.payments import CallRefused, OutcomeUnknown, RateLimited, Unavailable
from plixo.domain.people import APPROVERS, Group
from plixo.messages.approvals import Step
from plixo.ports import Record
from tests.sequences.house import AWAY, House, Stuck, signed_token
from tests.sequences.judge import Judge, hold, least, open_seats
from tests.sequences.world import (
    AMOUNTS,
    NAMES,
    PARTS,
    PEOPLE,
    POLICIES,
    REQUESTERS,
    TURNS,
    change_for,
    path_for,
)
from tests.support.rows import DoneThenLost, facts

T = TypeVar("T")
REQUESTS: Final = 3
JUMPS: Final = (1, 20, 61, 185, 245, 490, 1_441, 2_900, 7_300, 21_000, 44_000, 180_000)
"""Minutes: from one to four months."""

BEHIND_SECONDS: Final = 15

SIDES: Final = (Verdict.ASK, Verdict.APPROVE, Verdict.APPROVE, Verdict.RETURN, Verdict.REJECT, Verdict.ASK)
SEATS: Final = sorted(APPROVERS)
STRIPE_SAYS: Final = (
    facts(),
    facts(creditable=200_000, remaining=0),
    facts(status="void"),
    None,
    facts(remaining=1),
)
STRIPE_ANSWERS: Final = (
    DoneThenLost("The answer was lost."),
    OutcomeUnknown("Nobody knows."),
    Unavailable("Not now."),
    RateLimited("Too many.", 2),
    CallRefused("It is locked for good.", "resource_locked"),
)
_number: Final = st.integers(0, 11)


class Sequences(RuleBasedStateMachine):
    """What is played on a house; a subclass says which."""

    prefix = "engine"
    played = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).played += 1
        self.loop, self.house = self.open()
        self.judge = Judge()
        self.policy = POLICIES[0]
        self.ids: list[str] = []
        self.said: list[str] = []
        self.waiting: list[str] = []
        self.broken = False

    def open(self) -> tuple[asyncio.AbstractEventLoop, House]:
        raise NotImplementedError

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(self._kept_up(doing))

    async def _kept_up(self, doing: Coroutine[Any, Any, T]) -> T:
        """Where time goes by of itself, the clock follows before anything is done."""
        behind = await self.house.behind()
        if behind > BEHIND_SECONDS:
            await self._passes(timedelta(seconds=behind))
        return await doing

    # What people ask for ------------------------------------------------------------------------------------------

    @initialize(who=_number, amount=_number, route=_number, ceiling=st.booleans(), rate=st.integers(1, 3))
    def first(self, who: int, amount: int, route: int, ceiling: bool, rate: int) -> None:
        self.run(self._ask(who, amount, route, ceiling, rate))

    @precondition(lambda self: len(self.ids) < REQUESTS)
    @rule(who=_number, amount=_number, route=_number, ceiling=st.booleans(), rate=st.integers(1, 3))
    def another(self, who: int, amount: int, route: int, ceiling: bool, rate: int) -> None:
        self.run(self._ask(who, amount, route, ceiling, rate))

    @rule(which=_number)
    def publish(self, which: int) -> None:
        """Another policy; whatever was routed before keeps its own."""
        self.policy = POLICIES[which % len(POLICIES)]

    # What they say ------------------------------------------------------------------------------------------------

    @rule(which=_number, who=_number, verdict=_number, part=_number, at_once=st.booleans())
    def say(self, which: int, who: int, verdict: int, part: int, at_once: bool) -> None:
        """Somebody who may decides, as the page lets them; told at once, or some time later."""
        self.run(self._say(which, who, SIDES[verdict % len(SIDES)], part, at_once=at_once or who < 9))

    @rule(which=_number, who=_number, verdict=_number, part=_number)
    def agree(self, which: int, who: int, verdict: int, part: int) -> None:
        """The same, and nearly always an approval of all of it: so that sequences come to their effects."""
        self.run(self._say(which, who, Verdict.APPROVE, part if verdict == 0 else 0, at_once=True))

    @rule(which=_number, withdraws=st.integers(0, 5), other=st.integers(0, 7), at_once=st.booleans())
    def requester_says(self, which: int, withdraws: int, other: int, at_once: bool) -> None:
        """An answer or a withdrawal, now and then by somebody else."""
        record = self.record(which)
        verdict = Verdict.WITHDRAW if withdraws == 0 else Verdict.ANSWER
        who = NAMES[other] if other < 2 else record.approval.requester_id
        decision = self._decision(record, who, verdict, None)
        self.run(self._sign(decision, at_once=at_once))

    @rule(which=_number, who=_number, jump=st.integers(0, 8), late=st.integers(0, 8))
    def question(self, which: int, who: int, jump: int, late: int) -> None:
        """Some time goes by, somebody asks, some more goes by, and the requester answers if they still can."""
        self.time_passes(jump)
        self.run(self._say(which, who, Verdict.ASK, 0, at_once=True))
        self.time_passes(late)
        record = self.record(which)
        if record.approval.state is State.NEEDS_INFORMATION:
            decision = self._decision(record, record.approval.requester_id, Verdict.ANSWER, None)
            self.run(self._sign(decision, at_once=True))

    @rule(which=_number, who=_number, verdict=st.sampled_from(sorted(Verdict)), seat=st.integers(0, 2), off=_number)
    def anybody_says(self, which: int, who: int, verdict: Verdict, seat: int, off: int) -> None:
        """Anything by anybody, signed all the same: for another stage, round, fingerprint, amount or basis."""
        record = self.record(which)
        decision = self._decision(record, NAMES[who], verdict, None if verdict in _REQUESTERS else SEATS[seat])
        about = record.approval
        changes: tuple[dict[str, Any], ...] = (
            {"stage": about.stage + 1},
            {"stage": max(about.stage - 1, 0)},
            {"round": about.round + 1},
            {"digest": "0" * 64},
            {"amount_minor": about.amount_minor + 1},
            {"amount_minor": 0},
            {"comment": " "},
            {"basis": "delegate:p-cora"},
            {"basis": "group:cfo"},
        )
        changed = changes[off] if off < len(changes) else {}
        self.run(self._sign(replace(decision, **changed), at_once=True))

    @rule(which=_number, who=_number, how=st.integers(0, 5))
    def forge(self, which: int, who: int, how: int) -> None:
        """A row or a signature that the staff side did not make, or made of something else."""
        record = self.record(which)
        seats = open_seats(record.approval, record.approval.stage) or [Group.CONTROLLER]
        decision = self._decision(record, NAMES[who], Verdict.APPROVE, seats[0])
        self.run(self._forge(decision, record, how))

    @precondition(lambda self: self.waiting)
    @rule(which=_number)
    def deliver(self, which: int) -> None:
        """What was signed some time ago arrives."""
        self.run(self._tell(self.waiting.pop(which % len(self.waiting))))

    @precondition(lambda self: self.said)
    @rule(which=_number)
    def again(self, which: int) -> None:
        """The same decision again."""
        self.run(self._tell(self.said[-1 - which % len(self.said)], again=True))

    # What else happens --------------------------------------------------------------------------------------------

    @rule(jump=_number)
    def time_passes(self, jump: int) -> None:
        self.run(self._passes(timedelta(minutes=JUMPS[jump])))

    @rule(nth=st.integers(0, 3))
    def time_comes(self, nth: int) -> None:
        """Until shortly after the next that is due, and the one after that."""
        for _ in range(nth + 1):
            at = self.run(self._next())
            if at:
                self.run(self._passes(at - self.house.clock() + timedelta(minutes=3)))

    @rule(who=_number, turn=st.integers(0, len(TURNS) - 1))
    def person(self, who: int, turn: int) -> None:
        self.judge.tally[f"somebody {TURNS[turn].name}"] += 1
        self.run(self.house.change(TURNS[turn].happens(self.house.people[NAMES[who]])))

    @rule(who=st.integers(0, 3), how=st.integers(0, 3))
    def money_waits(self, who: int, how: int) -> None:
        """Stripe is away, somebody changes meanwhile whose word counted, and it is back."""
        self.run(self.house.stripe_says(AWAY))
        for which in range(len(self.ids)):
            self.run(self._say(which, who, Verdict.APPROVE, 0, at_once=True))
        heard = [one.person_id for name in self.ids for one in self.run(self.house.record(name)).approval.decisions]
        if heard and how:
            self.person(NAMES.index(heard[who % len(heard)]), (0, 2, 3)[how - 1])
        self.run(self.house.stripe_says(STRIPE_SAYS[0]))
        self.run(self.house.settle())

    @rule(what=_number)
    def stripe_says(self, what: int) -> None:
        """Something else of invoices, or nothing at all for a while."""
        self.run(self.house.stripe_says((AWAY, *STRIPE_SAYS, facts(), facts(), facts())[what % 9]))
        self.run(self.house.settle())

    @rule(what=st.integers(0, len(STRIPE_ANSWERS) - 1))
    def stripe_fails(self, what: int) -> None:
        """The next write fails, done or not."""
        if len(self.house.stripe.answers) < 3:
            self.run(self.house.stripe_fails(STRIPE_ANSWERS[what]))

    @rule(after=st.integers(0, 3), kept=st.booleans())
    def crash(self, after: int, kept: bool) -> None:
        """A process is going to die at the end of a transaction; Temporal calls again."""
        self.run(self.house.crash(after, kept=kept))

    @rule(which=_number, name=st.sampled_from(["open", "remind", "escalate", "expire"]), state=_number)
    def poke(self, which: int, name: str, state: int) -> None:
        """Somebody calls an activity by hand: nothing happens that is not due."""
        record = self.record(which)
        states = [record.approval.state.value, "", State.RETURNED.value, State.NEEDS_INFORMATION.value]
        step = Step(record.approval.approval_id, record.approval.stage, record.approval.round, 0, states[state % 4])
        self.run(self.house.poke(name, step))

    # What must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def holds(self) -> None:
        self.broken = True  # unless the next line comes to its end: what is broken is not wound up
        self.run(self._check())
        self.broken = False

    def teardown(self) -> None:
        """Half a year goes by: what has a clock that ends, has ended."""
        try:
            if not self.broken:
                self.run(self._wind_up())
        finally:
            self.close()

    def close(self) -> None:
        """What the house needs when a sequence is over."""

    async def _wind_up(self) -> None:
        if not self.ids:
            return
        await self.house.stripe_says(STRIPE_SAYS[0])
        await self.house.settle()
        while self.waiting:
            await self._tell(self.waiting[0])
        await self._check()
        for name in self.ids:
            await self._wait_out(name)
        await self._check()
        for name in self.ids:
            self.judge.tally[f"ended as {(await self.house.record(name)).approval.state}"] += 1

    async def _wait_out(self, name: str) -> None:
        """Until it has ended; what never does by its own clock is left alone."""
        for _ in range(40):
            record = await self.house.record(name)
            known = standing(record)
            if record.approval.state in ENDED or (record.approval.state is State.WAITING and not known.expire_at):
                return
            at = datetime.fromtimestamp(known.next_at, self.house.clock().tzinfo)
            await self._passes(max(at - self.house.clock(), timedelta()) + timedelta(minutes=3))
        hold(False, "it never ends", record)

    async def _check(self) -> None:
        self.judge.look(self.house.journal)
        for name in self.ids:
            record = await self.house.record(name)
            self.judge.standing_still(record, self.house.clock())
            made = [made for effect, made in self.house.stripe.made if effect.approval_id == name]
            self.judge.made(record.approval, made)
            away = self.house.stripe.says is AWAY
            hold(away or record.approval.state not in {State.APPROVED, State.EXECUTING}, "money is forgotten", record)

    async def _ask(self, who: int, amount: int, route: int, ceiling: bool, rate: int) -> None:
        requester = self.house.people[REQUESTERS[who % len(REQUESTERS)]]
        number, asked = len(self.ids), AMOUNTS[amount % len(AMOUNTS)]
        change = change_for(number, asked, on_balance=route % 4 == 3)
        base = -(-asked * rate // 2) if rate > 1 else asked
        path = path_for(self.policy, requester, route, base, ceiling=ceiling)
        name = approval_id("CR", requester.person_id, f"{self.prefix}-{number}")
        now = self.house.clock()
        signed = SignedRequest(name, requester.person_id, change, path, base, "1@9f2c")
        record = Record(
            approval=Approval(name, requester.person_id, change.digest, asked, path, "credit"),
            change=change,
            request_id=f"{self.prefix}-{number}",
            customer_name="Example Logistics",
            base_minor=base,
            base_currency="USD",
            policy="1@9f2c",
            signed=self.house.signer.sign("request", signed.to_claims(), now=now),
            amounts=Amounts(asked, 0, asked, "USD"),
            created_at=now,
        )
        self.ids.append(name)
        self.judge.seen[name] = record
        self.judge.tally[f"asked of {', then '.join(path.describe())}"] += 1
        await self.house.begin(record)
        await self.house.settle()

    async def _say(self, which: int, who: int, verdict: Verdict, part: int, *, at_once: bool) -> None:
        record = await self.house.record(self.ids[which % len(self.ids)])
        able = list(self._able(record, verdict, PARTS[part % len(PARTS)]))
        if able:
            await self._sign(able[who % len(able)], at_once=at_once)

    def _able(self, record: Record, verdict: Verdict, part: float) -> Any:
        """What everybody could say who may, by the judge's own rules, the seats in turn."""
        approval = record.approval
        if approval.state is not State.WAITING:
            return
        amount = max(1, round(least(approval) * part))
        bases = {who: basis for one in approval.escalated for who, basis in one.stand_ins}
        for seat in open_seats(approval, approval.stage):
            for who in NAMES:
                member = seat in self.house.people[who].groups
                said = self._decision(record, who, verdict, seat, basis="" if member else bases.get(who, ""))
                said = replace(said, amount_minor=amount)
                self.judge.genuine[said.decision_id] = said, self.house.clock()
                if not self.judge.against(said, record, self.house.people, self.house.clock()):
                    yield said
                del self.judge.genuine[said.decision_id]

    def _decision(self, record: Record, who: str, verdict: Verdict, seat: Group | None, basis: str = "") -> Decision:
        approval = record.approval
        return Decision(
            decision_id=f"DE-{self.prefix}-{len(self.judge.rows)}",
            approval_id=approval.approval_id,
            round=approval.round,
            stage=approval.stage,
            person_id=who,
            group=seat,
            verdict=verdict,
            digest=approval.digest,
            amount_minor=least(approval),
            comment="because",
            basis=basis,
        )

    async def _sign(self, decision: Decision, *, at_once: bool) -> None:
        now = self.house.clock()
        await self._keep(decision, signed_token(self.house.signer, decision, now))
        self.judge.genuine[decision.decision_id] = decision, now
        self.said.append(decision.decision_id)
        if at_once:
            await self._tell(decision.decision_id)
        else:
            self.waiting.append(decision.decision_id)

    async def _forge(self, decision: Decision, record: Record, how: int) -> None:
        now, signer = self.house.clock(), self.house.signer
        if how == 0:
            await self.house.tell(decision.approval_id, "DE-nobody")
            await self.house.settle()
            return
        real = replace(decision, amount_minor=decision.amount_minor + 1) if how == 1 else replace(decision, verdict=Verdict.REJECT)
        other = next((name for name in self.ids if name != decision.approval_id), "CR-OTHER")
        token = {
            1: lambda: signed_token(signer, real, now),
            2: lambda: signed_token(signer, real, now),
            3: lambda: signed_token(signer, replace(decision, approval_id=other), now),
            4: lambda: record.signed,
            5: lambda: "a.b.c",
        }[how]()
        await self._keep(decision, token)
        self.said.append(decision.decision_id)
        await self._tell(decision.decision_id)

    async def _keep(self, decision: Decision, token: str) -> None:
        self.judge.rows[decision.decision_id] = decision
        await self.house.keep(decision, token)

    async def _tell(self, decision_id: str, *, again: bool = False) -> None:
        """Tell the request of a decision: it is taken up once, and only with reason anything else."""
        decision = self.judge.rows[decision_id]
        before = await self.house.stored(decision_id)
        recorded = await self.house.tell(decision.approval_id, decision_id)
        after = await self.house.stored(decision_id)
        known = before.status if before.status != "submitted" else after.status
        hold(after.status == known != "submitted", "it was settled twice, or not at all", before, after)
        told = {"recorded": {"accepted", "already_received"}}.get(known, {known})
        hold(recorded.answer in told, "the answer is not what stands", recorded.answer, after.status)
        hold(not again or before.status == "submitted" or recorded.answer != "accepted", "taken up twice", recorded)
        self.waiting = [one for one in self.waiting if one != decision_id]
        await self.house.settle()

    async def _passes(self, how_long: timedelta) -> None:
        """Time goes by from one thing that is due to the next; nobody stops right before one."""
        until = self.house.clock() + how_long
        for _ in range(2_000):
            at = await self._next()
            if at is None or at > until + timedelta(minutes=2):
                break
            await self.house.move(max(at, self.house.clock()))
            await self.house.settle()
        else:
            raise Stuck("time stands still")
        if until > self.house.clock():
            await self.house.move(until)
        await self.house.settle()

    async def _next(self) -> datetime | None:
        """When the next of all requests is due."""
        records = [await self.house.record(name) for name in self.ids]
        known = [standing(record) for record in records if record.approval.state in OPEN]
        ahead = [one.next_at for one in known if one.next_event not in {"", "nothing"}]
        return datetime.fromtimestamp(min(ahead), self.house.clock().tzinfo) if ahead else None

    def record(self, which: int) -> Record:
        return self.run(self.house.record(self.ids[which % len(self.ids)]))


_REQUESTERS: Final = {Verdict.ANSWER, Verdict.WITHDRAW}
assert set(NAMES) == set(PEOPLE)
