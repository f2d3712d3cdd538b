"""Who judges: the invariants, counted anew from what was committed, by none of the code that is judged.

It knows what the staff side really signed, how the directory stood at each moment, and the tables below, which are
written from the words of the design.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from plixo.domain.approval import Approval, State
from plixo.domain.decision import Decision, Verdict
from plixo.domain.path import Clock, Seat
from plixo.domain.people import Group, Person
from plixo.ports import Record
from tests.sequences.books import Written
from tests.sequences.hours import check_moments, check_resumed

LIFE: Final = timedelta(days=7)
EARLY: Final = 60
"""Seconds that an activity's clock may be behind the workflow's."""

_LEADS: Final = {
    State.ROUTING: {State.WAITING, State.APPROVED, State.RETURNED, State.WITHDRAWN},
    State.WAITING: {State.WAITING, State.NEEDS_INFORMATION, State.RETURNED, State.WITHDRAWN, State.REJECTED}
    | {State.APPROVED},
    State.NEEDS_INFORMATION: {State.NEEDS_INFORMATION, State.WAITING, State.RETURNED, State.WITHDRAWN},
    State.RETURNED: {State.RETURNED, State.WITHDRAWN},
    State.APPROVED: {State.EXECUTING, State.RETURNED},
    State.EXECUTING: {State.EXECUTING, State.EXECUTED, State.NEEDS_ATTENTION},
}
"""Where each state may lead in one step; one that is missing is an end, and stays."""

_SAID: Final = {
    Verdict.REJECT: State.REJECTED,
    Verdict.ASK: State.NEEDS_INFORMATION,
    Verdict.RETURN: State.RETURNED,
    Verdict.ANSWER: State.WAITING,
    Verdict.WITHDRAW: State.WITHDRAWN,
}
_TAKES: Final = {
    Verdict.WITHDRAW: {State.WAITING, State.NEEDS_INFORMATION, State.RETURNED},
    Verdict.ANSWER: {State.NEEDS_INFORMATION},
}
_SILENT: Final = {Verdict.APPROVE, Verdict.WITHDRAW}
_DECIDES_NOTHING: Final = frozenset({Group.SUPPORT, Group.OPERATOR, Group.ADMINISTRATOR})

Directory = Mapping[str, Person]


class Broken(AssertionError):
    """An invariant does not hold."""


def hold(holds: object, why: str, *about: object) -> None:
    if not holds:
        raise Broken(f"{why}: {', '.join(map(str, about))}")


@dataclass
class Judge:
    """Reads the journal and remembers.

    Attributes:
        genuine: What the staff side signed, by decision id, and when.
        seen: Each request as it was last saved.
        effects: How many effects were intended, by request.
        posted: Every mail's key.
        tally: How often everything happened, for who wants to know what was played.
    """

    genuine: dict[str, tuple[Decision, datetime]] = field(default_factory=dict)
    rows: dict[str, Decision] = field(default_factory=dict)
    seen: dict[str, Record] = field(default_factory=dict)
    effects: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)
    posted: set[str] = field(default_factory=set)
    tally: Counter[str] = field(default_factory=Counter)
    read: int = 0

    def look(self, journal: Sequence[Written]) -> None:
        """Judge whatever was committed since the last look."""
        for line in journal[self.read :]:
            self.read += 1
            getattr(self, f"_{line.what}")(line, *line.given[:2])

    def _save(self, line: Written, after: Record, *_more: Any) -> None:
        before = self.seen[after.approval.approval_id]
        was, now = before.approval, after.approval
        hold(now.state in _LEADS.get(was.state, {was.state}), "no way leads there", was.state, now.state)
        hold(now.decisions[: len(was.decisions)] == was.decisions, "decisions are only appended", was, now)
        fixed = ("approval_id", "requester_id", "digest", "amount_minor", "path", "kind", "round")
        hold(all(getattr(was, name) == getattr(now, name) for name in fixed), "what was signed stays", was, now)
        new = now.decisions[len(was.decisions) :]
        hold(len(new) <= 1, "one decision a step", new)
        if new:
            self._decided(line, before, after, new[0])
        elif was.state is not now.state:
            self._moved(line, before, after)
        check_moments(before, after, line)
        check_resumed(before, after, line)
        self._escalated(line, was, now)
        self.seen[now.approval_id] = after

    def _decided(self, line: Written, before: Record, after: Record, decision: Decision) -> None:
        why = self.against(decision, before, line.people, line.now)
        hold(not why, f"recorded though {why}", decision)
        was, now = before.approval, after.approval
        self.tally[f"{decision.verdict} recorded"] += 1
        if decision.verdict is not Verdict.APPROVE:
            hold(now.state is _SAID[decision.verdict], "it leads elsewhere", decision.verdict, now.state)
            return
        full = not open_seats(now, was.stage)
        last = was.stage + 1 == len(was.path.stages)
        expected = (
            (State.APPROVED if last else State.WAITING, was.stage + (not last)) if full else (was.state, was.stage)
        )
        hold((now.state, now.stage) == expected, "approvals are counted wrongly", now.state, now.stage, expected)

    def _moved(self, line: Written, before: Record, after: Record) -> None:
        """What moved without anybody's word: by the clock, by Stripe, or by policy."""
        was, now, at = before.approval.state, after.approval.state, line.now.timestamp() + EARLY
        self.tally[f"{was} to {now}"] += 1
        moments = before.moments
        if was is State.ROUTING:
            hold(now is not State.APPROVED or before.approval.path.automatic, "nobody was asked", before)
        elif was is State.WAITING:
            hold(moments and 0 < moments.expire <= at, "there was time left", moments, line.now)
        elif was is State.NEEDS_INFORMATION:
            hold(moments and moments.pause and moments.pause.until <= at, "the answer had time", moments, line.now)
        elif was is State.RETURNED:
            hold(moments and 0 < moments.expire <= at, "its requester had time", moments, line.now)
        elif now is State.NEEDS_ATTENTION:
            known = before.approval.approval_id in self.refused
            hold(known or self.unentitled(before, line.people), "given up without a reason", after.why)
        elif now is State.RETURNED:
            hold(_differs(before, line.stripe), "returned though nothing has changed", after.why)

    def _escalated(self, line: Written, was: Approval, now: Approval) -> None:
        """Who may decide as well by now is named by the path's clock, and by the directory at that moment."""
        if now.stage != was.stage:
            return
        for one in now.escalated[len(was.escalated) :]:
            self.tally[f"escalated to {one.to}"] += 1
            clock = next(clock for seat, clock in now.path.stages[now.stage].clocked() if seat.group is one.seat)
            hours = [known.hours for known in clock.escalations if known.to == one.to]
            since = self.seen[now.approval_id].stage_since
            passed = line.now - since if since else timedelta()
            hold(hours and passed >= timedelta(hours=hours[0], seconds=-EARLY), "escalated too early", one, passed)
            for person_id, basis in one.stand_ins:
                holds = stands_in(line.people, one.seat, clock, person_id, basis)
                hold(holds and independent(line.people[person_id], now, self.seen), "no stand-in", person_id, basis)

    def against(self, decision: Decision, record: Record, people: Directory, now: datetime) -> str:  # noqa: PLR0911 - one a reason
        """Why the decision must not be recorded now; empty where it must."""
        signed, at = self.genuine.get(decision.decision_id, (None, now))
        approval, person = record.approval, people.get(decision.person_id)
        if signed != decision or now >= at + LIFE:
            return "it was not signed, or too long ago"
        if (decision.approval_id, decision.digest, decision.round) != (
            approval.approval_id,
            approval.digest,
            approval.round,
        ):
            return "it is about something else"
        amends = decision.verdict is Verdict.AMEND
        if not amends and approval.state not in _TAKES.get(decision.verdict, {State.WAITING}):
            return f"the request is {approval.state}"
        if person is None or (decision.verdict not in _SILENT and not decision.comment.strip()):
            return "nobody says it, or says nothing"
        if amends:
            return "no changed request was signed with it"
        if decision.verdict in _TAKES:
            return "" if person.person_id == approval.requester_id else "they did not ask for it"
        return self._against_seat(decision, record, person)

    def _against_seat(self, decision: Decision, record: Record, person: Person) -> str:  # noqa: PLR0911 - one a reason
        approval = record.approval
        if not independent(person, approval, self.seen):
            return "they are not independent"
        if decision.stage != approval.stage or decision.group not in open_seats(approval, approval.stage):
            return "no such seat is open"
        if not self._at_the_table(decision, approval, person):
            return "they are not asked"
        if has_voice(decision, approval):
            return "they have decided already"
        if decision.verdict is not Verdict.APPROVE:
            return ""
        if not 0 < decision.amount_minor <= least(approval):
            return "it is more than is left, or nothing"
        seat = next(seat for seat in approval.path.stages[approval.stage].seats if seat.group is decision.group)
        return "it is above their limit" if above_limit(decision, seat, person, record) else ""

    def _at_the_table(self, decision: Decision, approval: Approval, person: Person) -> bool:
        assert decision.group is not None
        if decision.group in person.groups:
            return True
        later = [seat.group for stage in approval.path.stages[approval.stage + 1 :] for seat in stage.seats]
        if person.groups & {*open_seats(approval, approval.stage), *later}:
            return False
        named = [one for one in approval.escalated if one.seat is decision.group]
        granted = [basis for one in named for who, basis in one.stand_ins if who == person.person_id]
        granted = [basis for basis in granted if not _spoke(approval, basis.removeprefix("delegate:"))]
        return bool(decision.basis) and decision.basis == next(iter(granted), "")

    def unentitled(self, record: Record, people: Directory) -> str:
        """Why no effect may follow, by what was recorded and how the directory stands now."""
        approval = record.approval
        voices: Counter[str] = Counter()
        for number, stage in enumerate(approval.path.stages):
            said = approvals_of(approval, number)
            lowest = min((one.amount_minor for one in said), default=0)
            for seat, clock in stage.clocked():
                agreed = [one for one in said if one.group is seat.group and one.amount_minor == lowest][: seat.quorum]
                if len({one.person_id for one in agreed}) < seat.quorum:
                    return f"{seat.group} has not agreed"
                for one in agreed:
                    voices.update(voices_of(one))
                    why = self._unfit(one, seat, clock, record, people)
                    if why:
                        return why
        return "somebody decided twice" if any(count > 1 for count in voices.values()) else ""

    def _unfit(self, said: Decision, seat: Seat, clock: Clock, record: Record, people: Directory) -> str:
        person, approval = people[said.person_id], record.approval
        if not independent(person, approval, self.seen):
            return f"{said.person_id} is not independent"
        asked = said.basis.removeprefix("delegate:")
        if asked != said.basis and asked in people and not independent(people[asked], approval, self.seen):
            return f"{asked} is not independent"
        member = seat.group in person.groups
        if not member and not stands_in(people, seat.group, clock, said.person_id, said.basis):
            return f"{said.person_id} is not {seat.group}"
        return f"{said.person_id} is limited" if above_limit(said, seat, person, record) else ""

    def _intend(self, line: Written, effect: Any, *_more: Any) -> None:
        record = self.seen[effect.approval_id]
        self.effects[effect.approval_id] += 1
        hold(self.effects[effect.approval_id] == 1, "two effects", effect)
        why = self.unentitled(record, line.people)
        hold(not why, f"money moves though {why}", effect, record.approval.decisions)
        hold(0 < effect.amount.minor <= least(record.approval), "more than was allowed", effect.amount, record)
        hold(not _differs(record, line.stripe), "Stripe says something else by now", effect)
        ends = {Verdict.REJECT, Verdict.RETURN, Verdict.WITHDRAW}
        hold(not any(one.verdict in ends for one in record.approval.decisions), "somebody was against it", record)

    def _settle_effect(self, _line: Written, effect: Any, made: Any) -> None:
        if made is None:
            self.refused.add(effect.approval_id)
        self.tally["applied" if made else "effect refused"] += 1

    def _settle_decision(self, line: Written, decision_id: str, status: str) -> None:
        """Whatever is not recorded had a reason."""
        if status == "recorded":
            return
        decision = self.rows[decision_id]
        why = self.against(decision, self.seen[decision.approval_id], line.people, line.now)
        hold(why, f"settled as {status} without a reason", decision)
        self.tally[f"not recorded: {why}"] += 1

    def _post(self, line: Written, letter: Any, *_more: Any) -> None:
        if line.gave:
            hold(letter.key not in self.posted, "mailed twice", letter.key)
            self.posted.add(letter.key)
            self.tally[f"mail: {letter.template}"] += 1
            readers = [one for one in line.people.values() if one.email == letter.to]
            hold(readers and all(one.active for one in readers), "mailed to who left", letter.key)

    def _audit(self, line: Written, entry: Any, *_more: Any) -> None:
        """The trail is read by the checker where there is one."""

    def standing_still(self, record: Record, now: datetime) -> None:
        """What must hold between steps: nothing waits for ever, and what was done is what stands."""
        approval = record.approval
        known = self.seen[approval.approval_id]
        hold(approval.decisions == known.approval.decisions, "decisions changed past the journal", record)
        hold((approval.state, approval.stage) == (known.approval.state, known.approval.stage), "moved unseen", record)
        if approval.state not in {State.WAITING, State.NEEDS_INFORMATION, State.RETURNED}:
            return
        moments = record.moments
        hold(moments, "it has no clock", record)
        assert moments is not None
        hold(bool(moments.pause) is (approval.state is State.NEEDS_INFORMATION), "the pause is not right", record)
        ahead = list(_ahead(record))
        hold(ahead or _never(record), "nothing is ever going to happen to it", record)
        hold(all(at > now.timestamp() for at in ahead), "something due was passed over", ahead, now)

    def made(self, approval: Approval, objects: Sequence[Any]) -> None:
        """Stripe's own ledger against the request."""
        intended, state = self.effects[approval.approval_id], approval.state
        hold(len(objects) <= intended <= 1, "Stripe did more than was intended", objects, intended)
        hold(state is not State.EXECUTED or len(objects) == 1, "applied, and not in Stripe", approval)
        hold(state in {State.EXECUTING, State.EXECUTED, State.NEEDS_ATTENTION} or not objects, "done too early", state)


def approvals_of(approval: Approval, stage: int) -> list[Decision]:
    return [
        one
        for one in approval.decisions
        if one.verdict is Verdict.APPROVE and (one.round, one.stage) == (approval.round, stage)
    ]


def least(approval: Approval) -> int:
    said = [one.amount_minor for one in approval.decisions if one.verdict is Verdict.APPROVE]
    return min([approval.amount_minor, *said])


def open_seats(approval: Approval, stage: int) -> list[Group]:
    """Groups whose seat has not enough different people behind what is left of the amount."""
    said = [one for one in approvals_of(approval, stage) if one.amount_minor == least(approval)]
    return [
        seat.group
        for asked in approval.path.stages[stage : stage + 1]
        for seat in asked.seats
        if len({one.person_id for one in said if one.group is seat.group}) < seat.quorum
    ]


def voices_of(decision: Decision) -> set[str]:
    acted = decision.basis.removeprefix("delegate:") if decision.basis.startswith("delegate:") else ""
    return {decision.person_id, acted} - {""}


def has_voice(decision: Decision, approval: Approval) -> bool:
    """Whether who decides, or for whom they act, has decided and is not asked again for the same seat."""
    for one in approval.decisions:
        if one.verdict not in {Verdict.APPROVE, Verdict.REJECT} or not voices_of(one) & voices_of(decision):
            continue
        asked_again = one.stage == approval.stage and one.amount_minor != least(approval)
        if not (asked_again and one.verdict is Verdict.APPROVE and one.group is decision.group):
            return True
    return False


def _spoke(approval: Approval, person_id: str) -> bool:
    """Whether what somebody decided stands."""
    for one in approval.decisions:
        stands = one.verdict is Verdict.REJECT or one.stage != approval.stage or one.amount_minor == least(approval)
        if one.verdict in {Verdict.APPROVE, Verdict.REJECT} and person_id in voices_of(one) and stands:
            return True
    return False


def independent(person: Person, approval: Approval, seen: Mapping[str, Record]) -> bool:
    customer = seen[approval.approval_id].change.customer_id
    return person.active and person.person_id != approval.requester_id and customer not in person.related_customers


def above_limit(decision: Decision, seat: Seat, person: Person, record: Record) -> bool:
    if seat.limit_minor is None:
        return False
    most = min(seat.limit_minor, person.limits.get("credit", seat.limit_minor))
    return record.base_minor * decision.amount_minor > most * record.approval.amount_minor


def stands_in(people: Directory, seat: Group, clock: Clock, person_id: str, basis: str) -> bool:
    """Whether clock and directory name somebody as a stand-in; whose work is another decides nothing."""
    person, kind, whom = people[person_id], *basis.partition(":")[::2]
    if basis.count(":") != 1 or not person.groups - _DECIDES_NOTHING:
        return False
    if kind == "group":
        return any(one.to == whom for one in clock.escalations) and whom in person.groups
    asked = people.get(whom)
    named = any(one.to == "delegate" for one in clock.escalations)
    return named and asked is not None and asked.active and seat in asked.groups and asked.delegate_id == person_id


def _differs(record: Record, stripe: Any) -> bool:
    """Whether Stripe says something else of the target than what was signed."""
    change = record.change
    if change.target.kind == "customer_balance":
        return False
    if stripe is None:
        return True
    signed = (change.target.target_id, change.target.status, change.target.currency)
    told = (stripe.target.target_id, stripe.target.status, stripe.target.currency)
    return signed != told or (stripe.creditable_minor is not None and stripe.creditable_minor < change.amount.minor)


def _ahead(record: Record) -> Iterator[int]:
    """When something is going to happen, by what the record keeps."""
    moments, approval = record.moments, record.approval
    assert moments is not None
    if moments.pause:
        yield moments.pause.until
        return
    if moments.expire:
        yield moments.expire
    if approval.state is State.WAITING:
        yield from (event.at for event in moments.events if event.group in open_seats(approval, approval.stage))


def _never(record: Record) -> bool:
    """Whether the clock itself says that nothing more happens: it never expires, and has nothing to repeat."""
    if record.approval.state is not State.WAITING:
        return False
    stage = record.approval.path.stages[record.approval.stage]
    waiting = open_seats(record.approval, record.approval.stage)
    clocks = [clock for seat, clock in stage.clocked() if seat.group in waiting]
    never = any(not clock.expire_hours for _seat, clock in stage.clocked())
    return never and not any(clock.remind_every for clock in clocks)
