"""Who may add a document to a request, and while what."""

from dataclasses import replace

import pytest

from plixo.domain.approval import Approval, State
from plixo.domain.decision import Decision, Verdict
from plixo.domain.duties import check_may_add_document
from plixo.domain.escalation import Escalated
from plixo.domain.path import ApprovalPath, Clock, Seat, Stage
from plixo.domain.people import Group, Person
from plixo.domain.refusals import Conflict, NotAllowed, Refused

C, L, CFO = Group.CONTROLLER, Group.LEGAL, Group.CFO
CLOCK = Clock(8, (4,), 40)
CUSTOMER = "cus_1"


def person(who: str, *groups: Group, **rest: object) -> Person:
    return Person(who, who, f"{who}@plixo.example", frozenset(groups), **rest)  # type: ignore[arg-type]


def request(*stages: tuple[Group, ...], state: State = State.WAITING, **rest: object) -> Approval:
    path = ApprovalPath("r", "w", tuple(Stage(tuple(Seat(group) for group in groups), CLOCK) for groups in stages))
    return Approval("CR-1", "p-admin", "digest", 100, path, "credit", state=state, **rest)  # type: ignore[arg-type]


REQUESTER, CONTROLLER, LEGAL, BOSS = person("p-admin"), person("p-c", C), person("p-l", L), person("p-cfo", CFO)
OPEN = {State.ROUTING, State.WAITING, State.NEEDS_INFORMATION, State.RETURNED}


def refused(approval: Approval, who: Person) -> Refused:
    with pytest.raises(Refused) as caught:
        check_may_add_document(approval, who, CUSTOMER)
    return caught.value


def said(refusal: Refused) -> tuple[str, str, str]:
    (problem,) = refusal.problems
    return problem.field, problem.code, problem.message


@pytest.mark.parametrize("state", State)
def test_who_asked_for_it_adds_documents_while_it_can_be_decided(state: State) -> None:
    approval = request((C,), state=state)
    if state in OPEN:
        check_may_add_document(approval, REQUESTER, CUSTOMER)
        return
    refusal = refused(approval, REQUESTER)
    assert isinstance(refusal, Conflict)
    words = (
        f"The request is {state.label[0].lower()}{state.label[1:]} already; documents are added while it is decided."
    )
    assert said(refusal) == ("document", f"already_{state}", words)


@pytest.mark.parametrize("state", State)
def test_who_is_asked_adds_them_while_it_waits_or_a_question_does(state: State) -> None:
    approval = request((C,), state=state)
    if state in {State.WAITING, State.NEEDS_INFORMATION}:
        check_may_add_document(approval, CONTROLLER, CUSTOMER)
    else:
        assert isinstance(refused(approval, CONTROLLER), NotAllowed if state in OPEN else Conflict)


NOT_ASKED = "Who asked for it adds documents, and who is asked to decide; you are {}."


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize("state", [State.WAITING, State.NEEDS_INFORMATION])
def test_who_is_not_asked_adds_none(state: State) -> None:
    refusal = refused(request((C,), (L,), state=state), LEGAL)
    assert isinstance(refusal, NotAllowed)
    assert said(refusal) == ("person", "not_asked", NOT_ASKED.format("Legal"))
    check_may_add_document(request((C,), (L,), state=state, stage=1), LEGAL, CUSTOMER)
    assert said(refused(request((C,), (L,), state=state, stage=1), CONTROLLER))[1] == "not_asked"


def test_each_of_two_groups_side_by_side_adds_them_though_the_other_has_decided() -> None:
    approve = Decision("DE-1", "CR-1", 0, 0, "p-c", C, Verdict.APPROVE, "digest", 100)
    approval = request((C, L)).decided(approve)
    for who in (CONTROLLER, LEGAL):
        check_may_add_document(approval, who, CUSTOMER)


@pytest.mark.parametrize("state", [State.WAITING, State.NEEDS_INFORMATION])
def test_who_may_decide_by_now_in_anothers_place_adds_them(state: State) -> None:
    approval = request((C,), state=state)
    assert said(refused(approval, BOSS)) == ("person", "not_asked", NOT_ASKED.format("CFO"))
    by_now = replace(approval, escalated=(Escalated(C, "cfo", 0, (("p-cfo", "group:cfo"),)),))
    check_may_add_document(by_now, BOSS, CUSTOMER)


def test_who_may_never_decide_on_it_adds_none() -> None:
    approval = request((C,))
    assert said(refused(approval, person("p-c", C, active=False)))[1] == "not_active"
    assert said(refused(approval, person("p-admin", active=False)))[1] == "not_active"
    related = person("p-c", C, related_customers=frozenset({CUSTOMER}))
    assert said(refused(approval, related))[1] == "related_customer"
    check_may_add_document(approval, person("p-admin", related_customers=frozenset({CUSTOMER})), CUSTOMER)
