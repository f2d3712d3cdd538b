"""Decisions in somebody's place: what was signed that lets one person's decision stand for another's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from plixo.domain.absence import LONGEST_CHAIN, Absence, away
from plixo.domain.decision import Decision, Verdict
from plixo.domain.duties import check_independent, check_limit
from plixo.domain.escalation import acting_for, reassigned_by
from plixo.domain.path import Seat
from plixo.domain.people import APPROVERS, Group, Person
from plixo.domain.refusals import NotAllowed


@dataclass(frozen=True)
class Instead:
    """What was signed about who decides in whose place, for one request.

    Attributes:
        requester_id: Who asked for it; nobody who acts for them decides.
        customer_id: Who would get the money; nor anybody who acts for somebody related to it.
        decisions: Verified, of this request and round; delegations and re-assignments among them.
        people: Everybody whom they and the absences name, as they stand in the directory now, by id.
        absences: Verified.
        signed_at: When each decision in somebody's place was signed, by its id.
    """

    requester_id: str
    customer_id: str
    decisions: Sequence[Decision]
    people: Mapping[str, Person]
    absences: Sequence[Absence]
    signed_at: Mapping[str, datetime]

    def carries(self, known: Decision, seat: Seat, base_minor: int, kind: str) -> bool:
        """Whether delegations, re-assignments and absences lead from who is asked to who decided.

        Args:
            known: A decision that rests on them.
            seat: Which it fills.
            base_minor: What it approves, in minor units of the base currency.
            kind: What is asked for.
        """
        if reassigned_by(known.basis):
            return known.person_id in self._reassigned(known, reassigned_by(known.basis))
        asked = self.people.get(acting_for(known.basis))
        if asked is None or not (asked.belongs_to(seat.group) or asked.person_id in self._reassigned(known)):
            return False
        try:
            check_limit(seat, asked, base_minor, kind)
        except NotAllowed:
            return False
        return self._leads(known, asked.person_id)

    def _reassigned(self, known: Decision, by: str = "") -> set[str]:
        """Ids of those whom an administrator gave that part, or that administrator did."""
        return {
            given.subject
            for given in self._handed(known, Verdict.REASSIGN)
            if by in {"", given.person_id}
            and self._is(given.person_id, Group.ADMINISTRATOR)
            and self._is(given.subject, *APPROVERS)
            and given.person_id != given.subject
        }

    def _is(self, person_id: str, *groups: Group) -> bool:
        person = self.people.get(person_id)
        return person is not None and self._independent(person_id) and person.belongs_to(*groups)

    def _leads(self, known: Decision, asked_id: str) -> bool:
        """Whether signed words lead from who was asked to who decided, over nobody who may not decide themselves."""
        reached, newest = {asked_id}, {asked_id}
        for _ in range(LONGEST_CHAIN + 1):  # an absence may follow upon a delegation
            newest = {
                following
                for person_id in newest
                if self._independent(person_id)
                for following in self._following(known, person_id)
            } - reached
            if known.person_id in newest:
                return True
            reached |= newest
        return False

    def _following(self, known: Decision, person_id: str) -> Iterator[str]:
        yield from (one.subject for one in self._handed(known, Verdict.DELEGATE) if one.person_id == person_id)
        moment = self.signed_at.get(known.decision_id)
        absence = away(self.absences, person_id, moment) if moment else None
        if absence:
            yield absence.delegate_id

    def _handed(self, known: Decision, verdict: Verdict) -> Iterator[Decision]:
        for one in self.decisions:
            if one.verdict is verdict and (one.round, one.stage, one.group) == (known.round, known.stage, known.group):
                yield one

    def _independent(self, person_id: str) -> bool:
        person = self.people.get(person_id)
        try:
            if person:
                check_independent(self.requester_id, person, self.customer_id)
        except NotAllowed:
            return False
        return person is not None
