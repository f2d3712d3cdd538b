"""The world in which sequences play: people, published limits and clocks, and what may happen to each."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from plixo.domain.change import ProposedChange, Target, TargetKind
from plixo.domain.money import Money
from plixo.domain.path import ApprovalPath, Clock, Escalation, Route, Ruling
from plixo.domain.people import Group, Person
from plixo.domain.planning import PathLimits, build_path
from plixo.domain.reasons import Reason
from tests.support.rows import CUSTOMER, INVOICE

OTHER_CUSTOMER: Final = "cus_ExampleFoods"


def _person(name: str, *groups: Group, **more: object) -> Person:
    found = Person(f"p-{name}", name.capitalize(), f"{name}@plixo.example", frozenset(groups))
    return replace(found, **more)  # type: ignore[arg-type]


PEOPLE: Final = {
    person.person_id: person
    for person in (
        _person("ida", Group.BILLING_ADMIN, delegate_id="p-cora"),
        _person("cora", Group.CONTROLLER, delegate_id="p-finn", time_zone="America/New_York"),
        _person("carl", Group.CONTROLLER, limits={"credit": 300_000}, delegate_id="p-ida", holidays="DE"),
        _person("lena", Group.LEGAL, delegate_id="p-gus", time_zone="Europe/Berlin", holidays="DE-BY"),
        _person("leo", Group.LEGAL, delegate_id="p-adam", related_customers=frozenset({OTHER_CUSTOMER})),
        _person("fay", Group.CFO, delegate_id="p-finn", working_hours="22:00-06:00"),
        _person("gus", Group.CFO, limits={"credit": 2_000_000}, time_zone="Asia/Kolkata"),
        _person("hal", Group.CONTROLLER, Group.LEGAL, delegate_id="p-fay", working_hours="10:00-14:00"),
        _person("finn", Group.FINANCE),
        _person("adam", Group.ADMINISTRATOR),
        _person("ona", Group.OPERATOR),
        _person("sue", Group.SUPPORT),
    )
}
NAMES: Final = tuple(sorted(PEOPLE))
REQUESTERS: Final = ("p-ida", "p-cora", "p-lena", "p-hal", "p-fay", "p-ida", "p-sue", "p-ida")

_SHIPPED: Final = Clock(8, (4, 7), 40, escalations=(Escalation(8, "delegate"), Escalation(16, "cfo")))
_LEGAL: Final = Clock(16, (8, 14), 80, escalations=(Escalation(16, "delegate"), Escalation(32, "cfo")))
_NEVER: Final = Clock(8, (4,), 0, remind_every=16, escalations=(Escalation(8, "delegate"), Escalation(9, "cfo")))
_SHORT: Final = Clock(2, (1,), 3, office="Mon-Sat 08:00-20:00 Europe/Berlin")
_QUIET: Final = Clock(8, (4,), 0)


def _limits(controller: int, legal: int, clock: Clock, legals: Clock) -> PathLimits:
    return PathLimits(controller, legal, {Group.CONTROLLER: clock, Group.LEGAL: legals, Group.CFO: clock})


POLICIES: Final = (
    _limits(2_500_000, 500_000, _SHIPPED, _LEGAL),
    _limits(500_000, 500_000, _NEVER, _SHIPPED),
    _limits(1_000_000, 200_000, _SHORT, _SHORT),
    _limits(2_500_000, 2_500_000, _SHIPPED, _QUIET),
    _limits(100_000, 0, _QUIET, _NEVER),
)
"""Limits and clocks that may be published; each request keeps those it was routed on."""

_PEOPLE_DECIDE: Final = (Route.CONTROLLER, Route.LEGAL, Route.BOTH, Route.CONTROLLER, Route.BOTH)
ROUTES: Final = (*_PEOPLE_DECIDE, *_PEOPLE_DECIDE[:-1], Route.AUTOMATIC)
AMOUNTS: Final = (420_000, 1, 99, 250_000, 1_200_000, 3_800_000, 420_001)
PARTS: Final = (1.0, 1.0, 1.0, 0.5, 0.999, 0.01)
"""How much of what is still asked for somebody approves."""


def path_for(policy: PathLimits, requester: Person, route: int, base_minor: int, *, ceiling: bool) -> ApprovalPath:
    """One seat, side by side, one after the other, or two of a group: as the ruling and the requester have it."""
    why = "A day's ceiling is passed." if ceiling else ""
    ruling = Ruling(ROUTES[route % len(ROUTES)], "played", "As it was drawn", why)
    return build_path(ruling, requester.groups, base_minor, policy)


def change_for(number: int, amount: int, *, on_balance: bool) -> ProposedChange:
    target = Target(TargetKind.INVOICE, INVOICE, "open", "USD", "EXL-0042")
    if on_balance:
        target = Target(TargetKind.CUSTOMER_BALANCE, CUSTOMER, "open", "USD")
    return ProposedChange("credit", CUSTOMER, Money(amount, "USD"), target, Reason.SERVICE_OUTAGE, f"Day {number}")


@dataclass(frozen=True)
class Turn:
    """Something that happens to a person; undone by `comes back`."""

    name: str
    happens: Callable[[Person], Person]


TURNS: Final = (
    Turn("leaves", lambda one: replace(one, active=False)),
    Turn("comes back", lambda one: PEOPLE[one.person_id]),
    Turn("is related", lambda one: replace(one, related_customers=frozenset({CUSTOMER}))),
    Turn("loses every group", lambda one: replace(one, groups=frozenset({Group.SUPPORT}))),
    Turn("joins Legal", lambda one: replace(one, groups=one.groups | {Group.LEGAL})),
    Turn("joins the CFO", lambda one: replace(one, groups=one.groups | {Group.CFO})),
    Turn("may approve little", lambda one: replace(one, limits={"credit": 50_000})),
    Turn("has Gus as delegate", lambda one: replace(one, delegate_id=None if one.person_id == "p-gus" else "p-gus")),
    Turn("works at night in Tokyo", lambda one: replace(one, time_zone="Asia/Tokyo", working_hours="20:00-04:00")),
)
