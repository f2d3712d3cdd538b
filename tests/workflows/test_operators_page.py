"""docs/operators.md: every query finds what it is said to find, and nothing else, on a real server."""

import asyncio
import re
import shlex
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import WorkflowFailureError
from temporalio.common import SearchAttributeKey

from demo.places import binary
from demo.waiting import NeverHappened, until
from plixo.domain.approval import State
from plixo.messages.approvals import APPROVALS_QUEUE, ApprovalRequest
from plixo.temporal.versions import promote
from starters.cli.app import build
from starters.credits import Asked, request_credit
from starters.schedules import reconcile
from tests.support.databases import database
from tests.support.house import House, credit_form, later, open_house
from tests.workers.test_versions import build_at_work
from tests.workflows.test_long_histories import Long, house_at
from workers.main import approvals_worker, working
from workers.sweeper import Sweeper
from workflows import attributes
from workflows.approval import ApprovalWorkflow
from workflows.credit_approval import CreditApprovalWorkflow
from workflows.schedules import DIGEST, schedules

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operators.md").read_text()
QUERIES = dict(re.findall(r"^\| ([^|]+) \| `([^`]+)` \|$", PAGE, re.MULTILINE))
MOMENT = re.compile(r"'2026-11-22T(\d\d):00:00Z'")
FORGED = f"CR-{'A' * 26}"
OLD = f"CR-{'B' * 26}"
BUILD = "2026-11-22.1"
PROBLEMS = "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute"


@dataclass(frozen=True)
class Day:
    """A house in which something of everything happened.

    Attributes:
        house: With its server.
        ids: Workflow ids by what their request is.
        dues: When each request that waits is due, by the same names.
    """

    house: House
    ids: Mapping[str, str]
    dues: Mapping[str, datetime]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def day() -> AsyncIterator[Day]:
    with tempfile.TemporaryDirectory() as folder, database("sqlite", Path(folder)) as url:
        async with open_house(Path(folder), url, workers=False, server={PROBLEMS: 1}) as house:
            async with working(house.workshop):
                asked = await _happens(house)
            async with approvals_worker(house.workshop.temporal, house.workshop):
                asked["applied"] = await house.ask("180.00", reason="duplicate_charge", customer="cus_ExampleStudio")
                await house.until_state(asked["applied"], State.APPROVED)
                asked["stopped"] = await house.ask("770.00", reason="goodwill")
                await house.until_waiting(asked["stopped"])
                await house.workflow(asked["stopped"]).terminate()
                dues = {name: due for name, one in asked.items() if (due := (await house.record(one)).due_at)}
                ids = {name: house.workflow(one).id for name, one in asked.items()}
                others = {"forged": f"credit/{FORGED}", "old": f"credit/{OLD}", "failing": "credit/unknown"}
                yield Day(house, ids | others, dues)


async def _happens(house: House) -> dict[str, Asked]:
    """Everything that a query of the page is about, and what it is not about."""
    people, desk = house.people, house.desk
    asked = {
        "controller": await house.ask("700.00", reason="goodwill"),
        "both": await house.ask("6000.00", reason="contract_concession", customer="cus_ExampleFoods"),
        "half": await house.ask("6100.00", reason="contract_concession", customer="cus_ExampleFoods"),
        "legal": await house.ask("710.00", reason="dispute", customer="cus_ExamplePress"),
        "import": await request_credit(desk, people["billing_admin"], credit_form(amount="720.00"), bulk=True),
        "question": await house.ask("730.00", reason="goodwill"),
        "executed": await house.ask("740.00", reason="goodwill"),
        "rejected": await house.ask("750.00", reason="goodwill"),
        "attention": await house.ask("760.00", reason="goodwill", invoice="in_ExampleLogistics0042"),
    }
    for one in asked.values():
        await house.until_waiting(one)
    await house.decide(asked["half"], "legal")
    await house.decide(asked["question"], "controller", "ask")
    await house.decide(asked["executed"], "controller")
    await house.decide(asked["rejected"], "controller", "reject")
    await house.until_ended(asked["executed"])
    await house.until_ended(asked["rejected"])
    await house.fault("reset_before")
    await house.decide(asked["attention"], "controller")
    await house.until_state(asked["attention"], State.EXECUTING)
    await house.stripe("POST", "/v1/invoices/in_ExampleLogistics0042/void")
    assert (await house.until_ended(asked["attention"])).approval.state is State.NEEDS_ATTENTION
    await _from_outside(house)
    return asked


async def _from_outside(house: House) -> None:
    """What strangers, operators, an older release and Temporal's schedules start and end."""
    client = house.workshop.temporal
    forged = await client.start_workflow(
        ApprovalWorkflow.run, ApprovalRequest(FORGED), id=f"credit/{FORGED}", task_queue=APPROVALS_QUEUE
    )
    with pytest.raises(WorkflowFailureError):
        await forged.result()
    await client.start_workflow("Unknown", id="credit/unknown", task_queue=APPROVALS_QUEUE)
    await client.start_workflow(
        CreditApprovalWorkflow.run, ApprovalRequest(OLD), id=f"credit/{OLD}", task_queue="nobody polls it"
    )
    await reconcile(client, schedules(checkpoint_hours=24))
    await client.get_schedule_handle(DIGEST).trigger()


RUNNING = {"controller", "both", "half", "legal", "import", "question", "applied"}
FOUND = {
    "everything that is under way": RUNNING,
    "credits alone": RUNNING,
    "what waits for Legal": {"both", "legal"},
    "what waits for both": {"both"},
    "what lies with its requester: a question, or a return": {"question"},
    "what came with an import": {"import"},
    "what people asked for one by one": RUNNING - {"import"},
    "what needs attention": {"attention"},
    "what has been opened or applied for too long, with nobody asked": {"applied"},
    "steps that a worker fails at again and again": {"failing"},
    "what somebody terminated or cancelled": {"stopped"},
    "starts that no request of ours asked for": {"forged"},
    "what is carried by the workflow of credits, from before there was one for all kinds": {"old"},
}
ELSEWHERE = {
    "what is overdue",
    "what is due today",
    "one request",
    "what the weekly digest's schedule started",
    "what took its last step with a build of the workers",
    "what went on in another run",
}


def test_every_query_of_the_page_is_run_below() -> None:
    assert set(QUERIES) == set(FOUND) | ELSEWHERE
    assert len(re.findall("ExecutionStatus", PAGE)) > len(QUERIES)


async def finds(day: Day, query: str, names: set[str]) -> None:
    """The server's list may be a moment behind, so it is asked until it is right."""
    wanted = {day.ids[name] for name in names}
    seen: set[str] = set()

    async def right() -> bool:
        nonlocal seen
        seen = {found.id async for found in day.house.workshop.temporal.list_workflows(query)}
        return seen == wanted

    with suppress(NeverHappened):
        await until(query, right, patience=15)
    by_id = {workflow_id: name for name, workflow_id in day.ids.items()}
    assert {by_id.get(one, one) for one in seen} == names


@pytest.mark.parametrize("asked", FOUND)
async def test_a_query_finds_what_it_is_said_to_find_and_nothing_else(day: Day, asked: str) -> None:
    last = max(day.dues.values())
    await finds(day, MOMENT.sub(f"'{last.isoformat()}'", QUERIES[asked]), FOUND[asked])


async def test_what_is_due_is_found_by_the_moment(day: Day) -> None:
    dues = {name: due for name, due in day.dues.items() if name in RUNNING}
    moments = sorted(set(dues.values()))
    between = moments[len(moments) // 2]
    assert moments[0] < between < moments[-1]
    overdue = MOMENT.sub(f"'{between.isoformat()}'", QUERIES["what is overdue"])
    await finds(day, overdue, {name for name, due in dues.items() if due < between})
    first, last = between - timedelta(seconds=1), between + timedelta(seconds=1)
    today = QUERIES["what is due today"].replace("2026-11-22T00:00:00Z", first.isoformat())
    today = today.replace("2026-11-22T12:00:00Z", last.isoformat())
    await finds(day, today, {name for name, due in dues.items() if first <= due <= last})


async def test_what_was_started_just_now_is_not_there_for_too_long(day: Day) -> None:
    long_ago = QUERIES["what has been opened or applied for too long, with nobody asked"]
    await finds(day, long_ago.replace("2026-11-22", "2020-01-01"), set())


async def test_one_request_is_found_by_its_id(day: Day) -> None:
    query = re.sub(r"CR-[A-Z]+", day.ids["half"].partition("/")[2], QUERIES["one request"])
    await finds(day, query, {"half"})


async def test_what_a_schedule_started_is_found_by_it(day: Day) -> None:
    client = day.house.workshop.temporal

    async def found() -> list[str]:
        query = QUERIES["what the weekly digest's schedule started"]
        return [one.id async for one in client.list_workflows(query)]

    started = await until("the schedule's workflow", found)
    assert all(name.startswith(DIGEST) for name in started)


async def test_the_command_lines_of_the_page_say_the_same(day: Day) -> None:
    listing, counting = (
        line.removeprefix("$ temporal ") for line in re.findall(r"^\$ temporal .*$", PAGE, re.MULTILINE)
    )
    await finds(day, QUERIES["what waits for Legal"], {"both", "legal"})
    said = await _temporal(day, listing)
    assert {day.ids["both"], day.ids["legal"]} == set(re.findall(r"credit/CR-\w+", said))
    assert "Total: 2" in await _temporal(day, counting)


async def _temporal(day: Day, line: str) -> str:
    command = [str(binary("temporal")), *shlex.split(line), "--address", day.house.stack.settings.temporal_address]
    ran = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await ran.communicate()
    assert ran.returncode == 0
    return said.decode()


@pytest.mark.parametrize("line", re.findall(r"^\$ plixo (.*)$", PAGE, re.MULTILINE))
def test_the_commands_of_ours_are_there(line: str) -> None:
    app = build()
    app.parse_args(shlex.split(line), exit_on_error=False, print_error=False)


async def test_what_a_build_worked_on_is_found_by_its_version(tmp_path: Path) -> None:
    with database("sqlite", tmp_path) as url:
        async with open_house(tmp_path, url, workers=False) as house, build_at_work(house, BUILD):
            await promote(house.workshop.temporal, BUILD, wait_seconds=30)
            asked = await house.ask()
            await house.until_waiting(asked)
            await house.workshop.temporal.start_workflow("Unknown", id="nobodys", task_queue="nobody polls it")
            day = Day(house, {"worked on": house.workflow(asked).id}, {})
            query = QUERIES["what took its last step with a build of the workers"]
            await finds(day, query, {"worked on"})
            await finds(day, query.replace(BUILD, "another"), set())


async def test_what_went_on_in_another_run_is_found(tmp_path: Path) -> None:
    async with house_at(tmp_path, 60) as house:
        long = await Long.of(house, await house.ask())
        still = await house.ask()
        await house.until_waiting(still)
        await long.goes_on()
        day = Day(house, {"long": house.workflow(long.asked).id}, {})
        await finds(day, QUERIES["what went on in another run"], {"long"})


@pytest.mark.asyncio(loop_scope="function")
async def test_what_carries_an_attribute_that_is_not_set_up_yet_is_kept_and_started_once_it_is(
    idle_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = idle_house
    person, form = house.people["billing_admin"], credit_form(amount="720.00")
    with monkeypatch.context() as before:
        before.setattr(attributes, "LANE", SearchAttributeKey.for_keyword("PlixoNotSetUp"))
        asked = await request_credit(house.desk, person, form, bulk=True)
    assert (asked.created, asked.started) == (True, False)
    sweeper = Sweeper(house.desk.ledger, house.desk.temporal, later(house.desk, hours=1).clock)
    assert await sweeper.sweep() == 1
    assert (await house.workflow(asked).describe()).typed_search_attributes[attributes.LANE] == "import"
