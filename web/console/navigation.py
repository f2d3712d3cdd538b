"""The menu: a person sees only what their groups may open; what is missing is not hinted at."""

from dataclasses import dataclass
from typing import Final

from plixo.domain.duties import POLICY_READERS, may_operate, may_see_books
from plixo.domain.people import REQUESTERS, Group, Person
from plixo.domain.refusals import NotFound

AUDITORS: Final = frozenset({Group.FINANCE, Group.ADMINISTRATOR, Group.CONTROLLER})
"""Groups that read the audit log as a whole."""


@dataclass(frozen=True)
class Entry:
    """A place in the menu.

    Attributes:
        label: What it is called.
        path: Where it is.
        current: Whether the reader is there, or below it.
    """

    label: str
    path: str
    current: bool


def menu(person: Person, path: str, *, dev: bool, temporal: bool) -> tuple[Entry, ...]:
    """The places this person may go to.

    Args:
        person: Who reads.
        path: Where they are.
        dev: Whether there is a mailbox.
        temporal: Whether there is a Temporal UI; operators work with it, and others who may look have no need to.
    """
    places = [("Approvals", "/approvals", bool(person.groups))]
    places += [("New credit", "/credits/new", person.belongs_to(*REQUESTERS))]
    places += [("Customers", "/customers", bool(person.groups)), ("Invoices", "/invoices", bool(person.groups))]
    places += [("Finance", "/finance/sheet", may_see_books(person))]
    places += [("Policy", "/settings/policy", person.belongs_to(*POLICY_READERS))]
    places += [("People", "/settings/people", bool(person.groups))]
    places += [("Audit", "/audit", person.belongs_to(*AUDITORS)), ("Mailbox", "/mailbox", dev)]
    places += [("Temporal", "/temporal", temporal and may_operate(person))]
    return tuple(Entry(label, place, _within(path, place)) for label, place, open_to in places if open_to)


def need(*, allowed: bool) -> None:
    """Refuse a place that is not in the person's menu.

    Raises:
        NotFound: As for a place that does not exist.
    """
    if not allowed:
        raise NotFound.one("", "not_found", "There is nothing at this address.")


def _within(path: str, place: str) -> bool:
    root = place.rsplit("/", 1)[0] if place.endswith("/new") else place
    return path == place or path.startswith(f"{root}/")
