"""What the rules do, in calls to a house: ask, sign, tell, let time go by, look, and wait until all has ended."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from activities.standing import standing
from plixo.domain.approval import ENDED, OPEN, Approval, State
from plixo.domain.decision import Decision, Verdict
from plixo.domain.effects import Amounts
from plixo.domain.ids import approval_id
from plixo.domain.mandate import SignedRequest
from plixo.domain.people import Group
from plixo.ports import Record
from tests.sequences.house import AWAY, House, Stuck, signed_token
from tests.sequences.judge import Broken, Judge, hold, least, open_seats
from tests.sequences.world import AMOUNTS, NAMES, PARTS, POLICIES, REQUESTERS, change_for, path_for
from tests.support.rows import facts

T = TypeVar("T")
BEHIND_SECONDS: Final = 15
"""How far the clock may be behind the server's before it catches up."""


class Acts(RuleBasedStateMachine):
    """A sequence under way on a house; a subclass says on which."""

    prefix = "engine"
    nothing = 0  # an amount that nobody approves; a database refuses such a row
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

    async def _wind_up(self) -> None:
        if not self.ids:
            return
        await self.house.stripe_says(facts())
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
        raise Broken(f"it never ends: {record}")

    async def _check(self) -> None:
        self.judge.look(self.house.journal)
        for name in self.ids:
            record = await self.house.record(name)
            self.judge.standing_still(record, self.house.clock())
            made = [made for effect, made in self.house.stripe.made if effect.approval_id == name]
            self.judge.made(record.approval, made)
            away = self.house.stripe.says is AWAY
            hold(away or record.approval.state not in {State.APPROVED, State.EXECUTING}, "money is forgotten", record)

    async def _ask(self, who: int, amount: int, route: int, rate: int, *, ceiling: bool) -> None:
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

    def _able(self, record: Record, verdict: Verdict, part: float) -> Iterator[Decision]:
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
        real = (
            replace(decision, amount_minor=decision.amount_minor + 1)
            if how == 1
            else replace(decision, verdict=Verdict.REJECT)
        )
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
