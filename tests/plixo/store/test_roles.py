"""The database roles of console and workers, on a real PostgreSQL: what each may write, and what it may not."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import make_url

from demo.waiting import until
from plixo.bootstrap import open_staff, open_workshop
from plixo.domain.approval import State
from plixo.store import documents, outbox
from plixo.store.engine import open_engine
from plixo.store.ledger import SqlLedger
from plixo.store.models import Base
from plixo.store.roles import STAFF, WORKER, CannotGrant, Roles, apply, statements
from starters import drafting
from starters.documents import Adding, add_document
from tests.support.databases import SERVER, database
from tests.support.desk import open_office
from tests.support.house import House, open_house
from tests.support.rows import open_rows
from workers.main import working

TABLES = {**Base.metadata.tables}


@pytest.fixture(scope="module")
def roles() -> Iterator[Roles]:
    """Two roles that nothing was granted to."""
    tag = uuid.uuid4().hex[:8]
    made = Roles(f"plixo_staff_{tag}", f"plixo_worker_{tag}")
    with psycopg.connect(SERVER, autocommit=True) as server:
        for role in (made.staff, made.worker):
            server.execute(f"create role {role} login".encode())
    yield made
    with psycopg.connect(SERVER, autocommit=True) as server:
        for role in (made.staff, made.worker):
            server.execute(f"drop role {role}".encode())


@pytest.fixture
async def granted(postgres_url: str, roles: Roles) -> Any:
    await apply(postgres_url, roles)
    yield postgres_url
    forget(postgres_url, roles)


def forget(url: str, roles: Roles) -> None:
    with psycopg.connect(url.replace("+psycopg", "")) as owner:
        owner.execute(f"drop owned by {roles.staff}, {roles.worker}".encode())


def under(url: str, role: str) -> str:
    return make_url(url).set(username=role).render_as_string(hide_password=False)


def refused(url: str, role: str, statement: str) -> bool:
    """Whether PostgreSQL keeps the role from it, whatever the table holds."""
    with psycopg.connect(under(url, role).replace("+psycopg", "")) as connection:
        try:
            connection.execute(statement.encode())
        except InsufficientPrivilege:
            return True
        except psycopg.errors.IntegrityError:
            return False
        finally:
            connection.rollback()
    return False


def test_every_table_is_spoken_of() -> None:
    """A new table is nobody's until somebody has thought of who writes it."""
    assert set(STAFF) == set(WORKER) == {*TABLES, "alembic_version"}


SIGNED = {
    "approvals": "approval_id kind request_id requester_id customer_id customer_name target_id change digest "
    "amount_minor currency base_minor base_currency rate rate_as_of policy path automatic signed created_at "
    "since_round routed_at",
    "decisions": "decision_id approval_id round stage person_id group_name verdict digest amount_minor comment subject "
    "signed submitted_at",
    "amendments": "decision_id approval_id requester_id round since_round change digest amount_minor base_minor "
    "base_currency rate rate_as_of net_minor tax_minor gross_minor policy path automatic signed replaced created_at",
}
NOT_THE_WORKERS = (
    "sessions", "people", "policies", "policy_drafts", "policy_publications", "rates", "logins", "sign_in_attempts",
    "absences", "absence_returns", "documents", "document_parts", "amendments", "approvals", "decisions",
)  # fmt: skip


@pytest.mark.postgres
@pytest.mark.asvs("13.2.2")
def test_a_worker_can_store_no_session_person_policy_request_decision_or_document(granted: str, roles: Roles) -> None:
    for table in NOT_THE_WORKERS:
        assert refused(granted, roles.worker, f"insert into {table} default values"), table
    for table in NOT_THE_WORKERS[:-3]:
        for column in TABLES[table].columns:
            change = f"update {table} set {column.name} = {column.name} where false"
            assert refused(granted, roles.worker, change), f"{table}.{column.name}"
    not_even_read = ("sessions", "logins", "sign_in_attempts", "policy_drafts", "policy_publications")
    for table in (*not_even_read, "documents", "document_parts"):
        assert refused(granted, roles.worker, f"select from {table}"), f"a worker has no business in {table}"


@pytest.mark.postgres
@pytest.mark.parametrize("table", SIGNED)
def test_what_was_signed_is_nobodys_to_change(granted: str, roles: Roles, table: str) -> None:
    assert set(SIGNED[table].split()) < {column.name for column in TABLES[table].columns}
    for column in SIGNED[table].split():
        for role in (roles.staff, roles.worker):
            assert refused(granted, role, f"update {table} set {column} = {column} where false"), f"{table}.{column}"


@pytest.mark.postgres
@pytest.mark.asvs("16.4.2")
def test_nothing_that_is_kept_is_removed_and_no_guard_taken_down(granted: str, roles: Roles) -> None:
    kept = ("approvals", "decisions", "amendments", "effects", "audit", "policies", "people", "outbox", "rates")
    kept += ("policy_drafts", "policy_publications", "documents", "document_parts", "absences", "absence_returns")
    for role in (roles.staff, roles.worker):
        for table in kept:
            assert refused(granted, role, f"delete from {table} where false"), f"{role} {table}"
            assert refused(granted, role, f"truncate {table}"), f"{role} {table}"
            assert refused(granted, role, f"alter table {table} disable trigger all"), f"{role} {table}"
        for column in TABLES["audit"].columns:
            assert refused(granted, role, f"update audit set {column.name} = {column.name} where false"), column.name
        assert refused(granted, role, "set session_replication_role = replica")
        assert refused(granted, role, "create table mine (a int)")
        assert refused(granted, role, "update alembic_version set version_num = '0'")


@pytest.mark.postgres
def test_the_staff_side_can_read_all_that_a_backup_holds_and_no_sequence_moves(granted: str, roles: Roles) -> None:
    for table in TABLES:
        assert not refused(granted, roles.staff, f"select from {table}"), table
    assert not refused(granted, roles.staff, "select last_value from policies_version_seq")
    for role in (roles.staff, roles.worker):
        assert refused(granted, role, "select nextval('policies_version_seq')")


@pytest.mark.postgres
def test_the_staff_side_moves_no_money_and_names_nobody(granted: str, roles: Roles) -> None:
    for statement in (
        "insert into effects default values",
        "update effects set state = 'done' where false",
        "update approvals set state = 'approved' where false",
        "insert into people default values",
        "update people set limits = limits where false",
        "insert into outbox default values",
    ):
        assert refused(granted, roles.staff, statement), statement


@pytest.mark.postgres
@pytest.mark.asvs("13.2.2")
def test_the_staff_side_adds_policies_drafts_and_documents_and_changes_none(granted: str, roles: Roles) -> None:
    for table in ("policies", "policy_drafts", "policy_publications", "documents", "document_parts"):
        names = ", ".join(column.name for column in TABLES[table].columns)
        assert not refused(granted, roles.staff, f"insert into {table} ({names}) select {names} from {table}"), table
        for column in TABLES[table].columns:
            change = f"update {table} set {column.name} = {column.name} where false"
            assert refused(granted, roles.staff, change), f"{table}.{column.name}"
    assert not refused(granted, roles.staff, "update rates set rate = rate where false")
    assert refused(granted, roles.staff, "update rates set currency = currency where false")


@pytest.mark.postgres
async def test_the_console_drafts_and_publishes_under_its_role(granted: str, roles: Roles) -> None:
    async with open_office(granted) as office:
        engine = open_engine(under(granted, roles.staff))
        desk = replace(office.desk, ledger=SqlLedger(engine))
        limits = {**desk.policy.plain_limits, "sums": {**desk.policy.plain_limits["sums"], "days": 31}}
        policy = drafting.typed_policy(limits, desk.policy.plain_table)
        administrator, controller = office.rows.people["administrator"], office.rows.people["controller"]
        rates = [{"currency": "EUR", "rate": "1.25", "as_of": "2026-08-03"}]
        made = [
            await drafting.draft_policy(desk, administrator, policy, "A day more."),
            await drafting.draft_rates(desk, administrator, rates, ""),
        ]
        who = drafting.Publisher(controller, desk.clock())
        found = [await drafting.publish_draft(desk, who, draft.draft_id) for draft in made]
        await engine.dispose()
    assert [(draft.version, draft.published_by) for draft in found] == [(2, "p-controller"), (None, "p-controller")]


@pytest.mark.postgres
async def test_the_console_keeps_and_reads_a_document_under_its_role(granted: str, roles: Roles) -> None:
    async with open_office(granted) as office:
        approval_id = await office.asked()
        engine = open_engine(under(granted, roles.staff))
        desk = replace(office.desk, ledger=SqlLedger(engine))
        content = b"%PDF-" + bytes(documents.PART)
        adding = Adding(office.rows.people["billing_admin"], "mail.pdf", content)
        added = await add_document(desk, approval_id, adding)
        async with desk.ledger.read() as session:
            found = [await documents.part(session, added.document, at) for at in documents.parts(added.document)]
        await engine.dispose()
    assert b"".join(found) == content


@pytest.mark.postgres
async def test_a_whole_credit_runs_with_each_under_its_role(tmp_path: Any, roles: Roles) -> None:
    with database("postgres", tmp_path) as url:
        async with open_house(tmp_path, url, workers=False) as house:
            await apply(url, roles)
            staff = house.staff.settings.model_copy(update={"database_url": under(url, roles.staff)})
            worker = house.settings.model_copy(update={"database_url": under(url, roles.worker)})
            async with open_staff(staff) as desk, open_workshop(worker) as workshop, working(workshop):
                await _three_requests(replace(house, staff=desk, workshop=workshop))
        forget(url, roles)


async def _three_requests(house: House) -> None:
    approved, rejected, withdrawn = [await house.ask() for _ in range(3)]
    automatic = await house.ask("120.00", customer="cus_ExampleClinics")
    for asked in (approved, rejected, withdrawn):
        await house.until_waiting(asked)
    await house.decide(approved, "controller")
    await house.decide(rejected, "controller", "reject", "not this time")
    await house.decide(withdrawn, "billing_admin", "withdraw")
    ends = [(await house.until_ended(asked)).approval.state for asked in (approved, rejected, withdrawn, automatic)]
    assert ends == [State.EXECUTED, State.REJECTED, State.WITHDRAWN, State.EXECUTED]
    assert len(await house.ledger(approved)) == len(await house.ledger(automatic)) == 1

    async def sent() -> bool:
        async with house.desk.ledger.read() as session:
            return await outbox.unsent(session) == 0

    await until("every mail to have left", sent)


@pytest.mark.postgres
async def test_what_a_role_had_before_is_taken_away(postgres_url: str, roles: Roles) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as owner:
        owner.execute(f"grant all on all tables in schema public to {roles.worker}".encode())
        owner.execute(f"grant update (signed) on approvals to {roles.worker}".encode())
    assert not refused(postgres_url, roles.worker, "insert into approvals default values")
    for _ in range(2):
        await apply(postgres_url, roles)
    assert refused(postgres_url, roles.worker, "insert into approvals default values")
    assert refused(postgres_url, roles.worker, "update approvals set signed = signed where false")
    forget(postgres_url, roles)


@pytest.mark.postgres
async def test_a_role_that_no_grant_binds_is_refused(postgres_url: str, roles: Roles) -> None:
    with pytest.raises(CannotGrant, match="There is no role plixo_missing; make it first"):
        await apply(postgres_url, Roles(roles.staff, "plixo_missing"))
    owner = make_url(postgres_url).username
    with pytest.raises(CannotGrant, match=f"{owner} may do more than any grant says"):
        await apply(postgres_url, Roles(roles.staff, str(owner)))
    assert refused(postgres_url, roles.staff, "select from approvals"), "all or none"


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "grant create on schema public to public",
            "revoke create on schema public from public",
            "{staff} may make tables and functions of its own in schema public",
        ),
        ("grant {staff} to {worker}", "revoke {staff} from {worker}", "{worker} is a member of {staff}"),
        ("grant {worker} to {staff}", "revoke {worker} from {staff}", "{staff} is a member of {worker}"),
        (
            "grant pg_write_all_data to {worker}",
            "revoke pg_write_all_data from {worker}",
            "{worker} is a member of pg_write_all_data",
        ),
    ],
)
async def test_what_would_go_round_the_grants_is_refused_in_words(
    postgres_url: str, roles: Roles, before: str, after: str, said: str
) -> None:
    names = {"staff": roles.staff, "worker": roles.worker}
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute(before.format(**names).encode())
        try:
            with pytest.raises(CannotGrant, match=said.format(**names)):
                await apply(postgres_url, roles)
        finally:
            owner.execute(after.format(**names).encode())
    assert refused(postgres_url, roles.staff, "select from approvals"), "all or none"


@pytest.mark.parametrize("names", [("a", "a"), ("A", "b"), ("a; drop table audit", "b"), ("", "b"), ("a" * 64, "b")])
def test_names_that_would_not_do_are_refused(names: tuple[str, str]) -> None:
    with pytest.raises(CannotGrant):
        Roles(*names)


def test_sqlite_has_no_roles() -> None:
    with pytest.raises(CannotGrant, match="set DATABASE_URL"):
        statements("sqlite+aiosqlite:///x.db", Roles())


@pytest.mark.postgres
async def test_a_worker_takes_up_an_amendment_and_says_nothing_of_its_own_in_it(granted: str, roles: Roles) -> None:
    """A table of its own session is not the staff side's, whatever it is called."""
    async with open_rows(granted) as rows:
        approval_id = await rows.waiting()
        said = await rows.amend(approval_id, 300_000)
        with psycopg.connect(under(granted, roles.worker).replace("+psycopg", ""), autocommit=True) as worker:
            worker.execute(b"create temp table amendments as select * from public.amendments")
            worker.execute(b"update pg_temp.amendments set decision_id = 'DE-forged', amount_minor = 9")
            take = b"update approvals set round = 1, amended_by = %s where approval_id = %s"
            with pytest.raises(psycopg.errors.CheckViolation, match="no amendment says so"):
                worker.execute(take, ["DE-forged", approval_id])
            with pytest.raises(InsufficientPrivilege):
                worker.execute(b"insert into public.amendments select * from pg_temp.amendments")
        workers = replace(rows, ledger=SqlLedger(open_engine(under(granted, roles.worker))))
        assert (await workers.take_up(approval_id, said)).answer == "accepted"
        await workers.ledger.engine.dispose()
        assert (await rows.record(approval_id)).change.amount.minor == 300_000
