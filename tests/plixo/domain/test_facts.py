import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.facts import Facts, RateState, Sums, authority
from plixo.domain.people import Group, Person

SUMS = Sums(requester_automatic=10, customer_automatic=20, customer_all=30, company_day=40, requester_day=50)


def person(*groups: Group, **limits: int) -> Person:
    return Person("p", "P", "p@plixo.example", frozenset(groups), limits)


def test_the_table_is_asked_with_this_request_counted_in_every_sum() -> None:
    facts = Facts("credit", "goodwill", 7, 5, related=True, rate=RateState.FRESH, sums=SUMS)
    assert facts.to_context({"controller": 1}) == {
        "kind": "credit",
        "reason": "goodwill",
        "amount": 7,
        "authority": 5,
        "related": True,
        "rate": "fresh",
        "requester_automatic": 17,
        "customer_automatic": 27,
        "customer_all": 37,
        "company_day": 47,
        "requester_day": 57,
        "limits": {"controller": 1},
    }
    assert type(facts.to_context({})["rate"]) is str


def test_nothing_was_granted_before_unless_said() -> None:
    assert Sums() == Sums(0, 0, 0, 0, 0)


BY_GROUP = {Group.SUPPORT: 0, Group.BILLING_ADMIN: 500}


@pytest.mark.parametrize(
    ("who", "kind", "expected"),
    [
        (person(), "credit", 0),
        (person(Group.SUPPORT), "credit", 0),
        (person(Group.BILLING_ADMIN), "credit", 500),
        (person(Group.CONTROLLER), "credit", 0),
        (person(Group.SUPPORT, Group.BILLING_ADMIN), "credit", 500),
        (person(Group.BILLING_ADMIN, credit=200), "credit", 200),
        (person(Group.BILLING_ADMIN, credit=900), "credit", 500),
        (person(Group.BILLING_ADMIN, credit=0), "credit", 0),
        (person(Group.BILLING_ADMIN, refund=1), "credit", 500),
        (person(Group.BILLING_ADMIN, refund=1), "refund", 1),
        (person(Group.CONTROLLER, credit=900), "credit", 0),
    ],
)
def test_authority_is_the_groups_lowered_by_the_persons_own(who: Person, kind: str, expected: int) -> None:
    assert authority(who, BY_GROUP, kind) == expected


@given(
    st.frozensets(st.sampled_from(Group)),
    st.dictionaries(st.sampled_from(Group), st.integers(0, 10**6)),
    st.none() | st.integers(0, 10**6),
)
def test_nobody_has_more_authority_than_one_of_their_groups(
    groups: frozenset[Group], by_group: dict[Group, int], own: int | None
) -> None:
    who = person(*groups) if own is None else person(*groups, credit=own)
    found = authority(who, by_group, "credit")
    assert found in {0, own, *(by_group.get(group, 0) for group in groups)}
    assert all(found >= by_group.get(group, 0) for group in groups) or found == own
    assert own is None or found <= own
