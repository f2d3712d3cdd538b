"""Who may write what in PostgreSQL: a role for the staff side and one for the workers, below the owner of the tables.

What counts is signed by the staff side and verified again before money moves. These grants stand before that: a worker
that was taken over cannot even store a request, a decision, a sign-in or a person.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from plixo.store.engine import open_engine

Grants = Mapping[str, str]

_FREELY: Final = "select, insert, update, delete"
_MOVING: Final = (
    "net_minor, tax_minor, gross_minor, state, round, stage, waits_for, stand_ins, stage_since, due_at, clocks, "
    "ended_at, stripe_object, why, amended_by"
)
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")

STAFF: Final[Grants] = {
    "absence_returns": "select, insert",
    "absences": "select, insert",
    "alembic_version": "select",
    "amendments": "select, insert",
    "approvals": "select, insert, update (why)",  # to lock a row takes the right to change something in it
    "audit": "select, insert",
    "checkpoint_wishes": "select, insert, update (leased_until, made, problem)",
    "checkpoints": "select, insert",
    "decisions": "select, insert, update (status, position, why, settled_at)",
    "document_parts": "select, insert",
    "documents": "select, insert",
    "effects": "select",
    "logins": _FREELY,
    "outbox": "select",
    "people": "select, update (groups)",  # as the identity provider says
    "policies": "select, insert",
    "policy_drafts": "select, insert",
    "policy_publications": "select, insert",
    "rates": "select, insert, update (rate, as_of, signed)",
    "sessions": _FREELY,
    "sign_in_attempts": _FREELY,
}
"""What the console and the API may do, by table."""

WORKER: Final[Grants] = {
    "absence_returns": "select",
    "absences": "select",
    "alembic_version": "select",
    "amendments": "select",
    "approvals": f"select, update ({_MOVING})",
    "audit": "select, insert",
    "checkpoint_wishes": "select, insert",
    "checkpoints": "",
    "decisions": "select, update (status, position, why, settled_at)",
    "document_parts": "",
    "documents": "",
    "effects": "select, insert, update (state, stripe_object, why, settled_at)",
    "logins": "",
    "outbox": "select, insert, update (leased_until, attempts, sent_at, problem)",
    "people": "select",
    "policies": "select",
    "policy_drafts": "",
    "policy_publications": "",
    "rates": "select",
    "sessions": "",
    "sign_in_attempts": "",
}
"""What workers may do, by table."""


class CannotGrant(Exception):
    """The roles cannot be bound by grants; the message says what to do."""


@dataclass(frozen=True)
class Roles:
    """The names of the two roles.

    Attributes:
        staff: Of the console and the API.
        worker: Of the workers.
    """

    staff: str = "plixo_staff"
    worker: str = "plixo_worker"

    def __post_init__(self) -> None:
        """Refuse names that would need quotes, and one name for both.

        Raises:
            CannotGrant: It says which.
        """
        for name in (self.staff, self.worker):
            if not _NAME.fullmatch(name):
                raise CannotGrant(f"'{name}' is no role's name here: small letters, digits and underscores alone.")
        if self.staff == self.worker:
            raise CannotGrant("The two roles must be different: what one may write, the other must not.")


def statements(url: str, roles: Roles) -> Sequence[str]:
    """What gives the two roles exactly what they need, and takes away whatever they had before.

    Args:
        url: The database's address, with the owner of the tables.
        roles: Their names.

    Raises:
        CannotGrant: It is no PostgreSQL.
    """
    database = make_url(url)
    if database.get_backend_name() != "postgresql":
        raise CannotGrant("Roles are PostgreSQL's; set DATABASE_URL to its address.")
    named = (database.database or "").replace('"', '""')
    granted = [line for role, grants in _both(roles) for line in _of_role(named, role, grants)]
    # A backup is made by the console's role, and reads where each sequence stands.
    return [*granted, f"grant select on all sequences in schema public to {roles.staff}"]


async def apply(url: str, roles: Roles) -> None:
    """Run the statements, all or none.

    Raises:
        CannotGrant: A role is missing, or no grant could bind it.
    """
    made, engine = statements(url, roles), open_engine(url)
    try:
        async with engine.begin() as connection:
            for role, other in ((roles.staff, roles.worker), (roles.worker, roles.staff)):
                await _check(connection, role, other)
            for line in made:
                await connection.execute(text(line))
    finally:
        await engine.dispose()


def _both(roles: Roles) -> tuple[tuple[str, Grants], ...]:
    return (roles.staff, STAFF), (roles.worker, WORKER)


def _of_role(database: str, role: str, grants: Grants) -> Iterator[str]:
    yield f'grant connect on database "{database}" to {role}'
    yield f"grant usage on schema public to {role}"
    yield f"revoke all on all tables in schema public from {role}"
    yield f"revoke all on all sequences in schema public from {role}"
    for table, allowed in grants.items():
        if allowed:
            yield f"grant {allowed} on {table} to {role}"


_BOUND: Final = text(
    "select rolsuper or rolcreaterole or rolreplication or exists (select from pg_tables where schemaname = 'public' "
    "and pg_has_role(mine.oid, tableowner, 'member')) as unbound, has_schema_privilege(mine.oid, 'public', 'create') "
    "as makes, (select min(rolname) from pg_roles other where rolname in (:other, 'pg_write_all_data') "
    "and pg_has_role(mine.oid, other.oid, 'member')) as member_of from pg_roles mine where rolname = :role"
)


async def _check(connection: AsyncConnection, role: str, other: str) -> None:
    found = (await connection.execute(_BOUND, {"role": role, "other": other})).one_or_none()
    if found is None:
        raise CannotGrant(f"There is no role {role}; make it first: create role {role} login password '…'.")
    if found.unbound:
        raise CannotGrant(f"{role} may do more than any grant says: it must own no table and be no superuser.")
    if found.member_of:
        wanted = f"revoke {found.member_of} from {role}"
        raise CannotGrant(f"{role} is a member of {found.member_of} and may do all that one may; first: {wanted}.")
    if found.makes:
        wanted = f"revoke create on schema public from public, {role}"
        raise CannotGrant(f"{role} may make tables and functions of its own in schema public; first: {wanted}.")
