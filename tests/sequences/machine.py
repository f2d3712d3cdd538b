"""The rules: whatever can happen to requests, in any order. Each takes plain values, so that a sequence can be kept."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from plixo.domain.approval import State
from plixo.domain.decision import Verdict
from plixo.domain.payments import CallRefused, OutcomeUnknown, RateLimited, Unavailable
from plixo.domain.people import APPROVERS, Group
from plixo.messages.approvals import Step
from tests.sequences.acts import Acts
from tests.sequences.house import AWAY
from tests.sequences.judge import open_seats
from tests.sequences.world import NAMES, POLICIES, TURNS
from tests.support.rows import DoneThenLost, facts

REQUESTS: Final = 3
JUMPS: Final = (1, 20, 61, 185, 245, 490, 1_441, 2_900, 7_300, 21_000, 44_000, 180_000)
"""Minutes: from one to four months."""

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
_REQUESTERS: Final = {verdict for verdict in Verdict if verdict.by_requester}
PLAYED: Final = sorted(verdict for verdict in Verdict if not verdict.hands_on and verdict is not Verdict.NUDGE)
"""Handing on, re-assigning and nudging are not played: the judge has no rule for them."""

_number: Final = st.integers(0, 11)


class Sequences(Acts):
    """The rules and what must hold after each."""

    # What people ask for ------------------------------------------------------------------------------------------

    @initialize(who=_number, amount=_number, route=_number, ceiling=st.booleans(), rate=st.integers(1, 3))
    def first(self, who: int, amount: int, route: int, rate: int, *, ceiling: bool) -> None:
        self.run(self._ask(who, amount, route, rate, ceiling=ceiling))

    @precondition(lambda self: len(self.ids) < REQUESTS)
    @rule(who=_number, amount=_number, route=_number, ceiling=st.booleans(), rate=st.integers(1, 3))
    def another(self, who: int, amount: int, route: int, rate: int, *, ceiling: bool) -> None:
        self.run(self._ask(who, amount, route, rate, ceiling=ceiling))

    @rule(which=_number)
    def publish(self, which: int) -> None:
        """Another policy; whatever was routed before keeps its own."""
        self.policy = POLICIES[which % len(POLICIES)]

    # What they say ------------------------------------------------------------------------------------------------

    @rule(which=_number, who=_number, verdict=_number, part=_number, at_once=st.booleans())
    def say(self, which: int, who: int, verdict: int, part: int, *, at_once: bool) -> None:
        """Somebody who may decides, as the page lets them; told at once, or some time later."""
        self.run(self._say(which, who, SIDES[verdict % len(SIDES)], part, at_once=at_once or who < 9))

    @rule(which=_number, who=_number, verdict=_number, part=_number)
    def agree(self, which: int, who: int, verdict: int, part: int) -> None:
        """The same, and nearly always an approval of all of it: so that sequences come to their effects."""
        self.run(self._say(which, who, Verdict.APPROVE, part if verdict == 0 else 0, at_once=True))

    @rule(which=_number, withdraws=st.integers(0, 5), other=st.integers(0, 7), at_once=st.booleans())
    def requester_says(self, which: int, withdraws: int, other: int, *, at_once: bool) -> None:
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

    @rule(which=_number, who=_number, verdict=st.sampled_from(PLAYED), seat=st.integers(0, 2), off=_number)
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
            {"amount_minor": self.nothing},
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

    @rule(which=_number, who=_number, what=st.integers(1, len(STRIPE_SAYS) - 1))
    def facts_change(self, which: int, who: int, what: int) -> None:
        """Stripe says something else from now on, and then everybody agrees."""
        self.run(self.house.stripe_says(STRIPE_SAYS[what]))
        for nth in range(3):
            self.run(self._say(which, who + nth, Verdict.APPROVE, 0, at_once=True))
        self.run(self.house.stripe_says(STRIPE_SAYS[0]))
        self.run(self.house.settle())  # it may have been away, and is back with that

    @rule(which=_number, who=_number, part=st.integers(2, 5))
    def less(self, which: int, who: int, part: int) -> None:
        """One agrees to all of it, and the next to less: the first is asked again."""
        self.run(self._say(which, who, Verdict.APPROVE, 0, at_once=True))
        self.run(self._say(which, who + 1, Verdict.APPROVE, part, at_once=True))

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
    def crash(self, after: int, *, kept: bool) -> None:
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
