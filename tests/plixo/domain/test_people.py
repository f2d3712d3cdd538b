from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.people import APPROVERS, REQUESTERS, Group, Person, groups_from_claim

SOMEBODY = Person("p", "P", "p@plixo.example", frozenset({Group.LEGAL, Group.SUPPORT}))


def test_groups_are_said_as_people_say_them() -> None:
    labels = "Support,Billing admin,Controller,Legal,CFO,Finance,Operator,Administrator"
    assert [group.label for group in Group] == labels.split(",")


def test_who_may_ask_and_who_may_approve() -> None:
    assert {Group.CONTROLLER, Group.LEGAL, Group.CFO} == APPROVERS
    assert {Group.SUPPORT, Group.BILLING_ADMIN} | APPROVERS == REQUESTERS


def test_a_person_belongs_to_their_groups_while_they_are_here() -> None:
    assert SOMEBODY.belongs_to(Group.LEGAL)
    assert SOMEBODY.belongs_to(Group.CFO, Group.LEGAL)
    assert not SOMEBODY.belongs_to(Group.CFO)
    assert not SOMEBODY.belongs_to()
    assert not replace(SOMEBODY, active=False).belongs_to(Group.LEGAL)


def test_a_role_names_every_group_in_its_order() -> None:
    assert SOMEBODY.role == "Support, Legal"
    assert replace(SOMEBODY, groups=frozenset()).role == "no group"


def test_a_person_is_here_and_keeps_plain_office_hours_unless_said() -> None:
    assert SOMEBODY.active is True
    assert (SOMEBODY.time_zone, SOMEBODY.working_hours, SOMEBODY.holidays) == ("UTC", "09:00-17:00", "US")
    assert (SOMEBODY.delegate_id, SOMEBODY.related_customers, SOMEBODY.limits) == (None, frozenset(), {})


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (["controller"], {Group.CONTROLLER}),
        ("Legal", {Group.LEGAL}),
        (["Billing Admin"], {Group.BILLING_ADMIN}),
        (["billing-admin", " CFO "], {Group.BILLING_ADMIN, Group.CFO}),
        (["BILLING_ADMIN", "everyone", 7, None], {Group.BILLING_ADMIN}),
        ([], set()),
        (None, set()),
        ({"controller": True}, set()),
        (7, set()),
        ("controller legal", set()),
    ],
)
def test_a_claim_maps_to_groups_by_name(claim: object, expected: set[Group]) -> None:
    assert groups_from_claim(claim) == frozenset(expected)


@given(st.frozensets(st.sampled_from(Group)))
def test_every_group_is_known_by_its_value_and_by_its_label(groups: frozenset[Group]) -> None:
    assert groups_from_claim([group.value for group in groups]) == groups
    assert groups_from_claim([group.label for group in groups]) == groups
