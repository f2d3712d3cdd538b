"""`plixo temporal setup` on a real server: each test has a namespace of its own."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError

from plixo.temporal import setup
from plixo.temporal.setup import CannotSetUp, SetUp, set_up
from tests.starters.cli.conftest import Ran
from workflows import attributes

Plixo = Callable[..., Ran]
YEAR = timedelta(days=365)
NAMES = ("PlixoKind", "PlixoWaitsFor", "PlixoDue", "PlixoLane")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that has nothing of ours."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).parent / "temporal"), "server", "start-dev", "--headless"]
    command += ["--ip", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    with (tmp_path_factory.mktemp("server") / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        asyncio.run(answering(f"127.0.0.1:{port}"))
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


async def answering(address: str) -> None:
    for _ in range(300):
        try:
            client = await Client.connect(address)
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
        except (RuntimeError, RPCError):
            await asyncio.sleep(0.1)
        else:
            return
    raise AssertionError("the server does not answer")


async def retention(client: Client) -> timedelta:
    request = DescribeNamespaceRequest(namespace=client.namespace)
    found = await client.workflow_service.describe_namespace(request)
    return found.config.workflow_execution_retention_ttl.ToTimedelta()


async def listed(client: Client) -> dict[str, int]:
    request = ListSearchAttributesRequest(namespace=client.namespace)
    return dict((await client.operator_service.list_search_attributes(request)).custom_attributes)


async def test_a_namespace_that_is_missing_is_made_with_everything_and_the_second_run_changes_nothing(
    address: str,
) -> None:
    client = await Client.connect(address, namespace="fresh")
    first = await set_up(client, attributes.ALL, None)
    assert first == SetUp(
        namespace="fresh", made=True, retention=YEAR, retention_changed=False, attributes=NAMES, added=NAMES
    )
    assert await retention(client) == YEAR
    assert await listed(client) == {
        "PlixoKind": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
        "PlixoWaitsFor": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
        "PlixoDue": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
        "PlixoLane": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    }
    assert await set_up(client, attributes.ALL, None) == replace(first, made=False, added=())


async def test_a_workflow_with_its_attributes_can_be_started_in_it(address: str) -> None:
    client = await Client.connect(address, namespace="started")
    await set_up(client, attributes.ALL, None)
    pairs = TypedSearchAttributes([SearchAttributePair(attributes.KIND, "credit")])
    for _ in range(100):  # the cluster's other parts learn of it within seconds
        try:
            handle = await client.start_workflow("Any", id="one", task_queue="any", search_attributes=pairs)
        except RPCError:
            await asyncio.sleep(0.2)
        else:
            break
    described = await handle.describe()
    assert described.typed_search_attributes[attributes.KIND] == "credit"


async def test_the_retention_is_raised_to_a_year_and_never_lowered_unasked(address: str) -> None:
    client = await Client.connect(address, namespace="kept")
    assert (await set_up(client, (), timedelta(days=3))).retention == timedelta(days=3)
    raised = await set_up(client, (), None)
    assert (raised.retention, raised.retention_changed) == (YEAR, True)
    await set_up(client, (), timedelta(days=800))
    assert (await set_up(client, (), None)).retention == timedelta(days=800)
    assert await retention(client) == timedelta(days=800)
    await set_up(client, (), timedelta(days=30))
    assert await retention(client) == timedelta(days=30)


async def test_two_at_once_make_one_namespace(address: str) -> None:
    clients = [await Client.connect(address, namespace="twice") for _ in range(2)]
    done = await asyncio.gather(*(set_up(client, (), None) for client in clients))
    assert sorted(one.made for one in done) in ([False, True], [False, False])
    assert await retention(clients[0]) == YEAR


async def test_only_what_is_missing_is_added(address: str) -> None:
    client = await Client.connect(address, namespace="half")
    await set_up(client, attributes.ALL[:1], None)
    assert (await set_up(client, attributes.ALL, None)).added == NAMES[1:]


async def test_an_attribute_of_another_type_is_named_and_nothing_is_added(
    address: str, plixo: Plixo, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await Client.connect(address, namespace="other")
    await set_up(client, (SearchAttributeKey.for_int("PlixoDue"),), None)
    with pytest.raises(CannotSetUp, match="PlixoDue is INT there and must be DATETIME"):
        await set_up(client, attributes.ALL, None)
    assert set(await listed(client)) == {"PlixoDue"}
    monkeypatch.setenv("PLIXO_TEMPORAL_ADDRESS", address)
    monkeypatch.setenv("PLIXO_TEMPORAL_NAMESPACE", "other")
    ran = await asyncio.to_thread(plixo, "temporal", "setup")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "rename that one, or take another namespace" in ran.err


async def test_a_cluster_that_never_takes_it_in_is_given_up(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def forgetful(_client: Client, _request: object) -> dict[str, int]:
        return {}

    client = await Client.connect(address, namespace="forgetful")
    await set_up(client, (), None)
    monkeypatch.setattr(setup, "SETTLE_SECONDS", 0.3)
    monkeypatch.setattr(setup, "_listed", forgetful)
    with pytest.raises(CannotSetUp, match="After 0 s the cluster still lacks what was made in the namespace forgetful"):
        await set_up(client, attributes.ALL[:1], None)


def test_the_command_says_what_it_did(address: str, plixo: Plixo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIXO_TEMPORAL_ADDRESS", address)
    monkeypatch.setenv("PLIXO_TEMPORAL_NAMESPACE", "told")
    made = plixo("temporal", "setup", "--retention-days", "400", "--json").document
    assert made == {
        "namespace": "told",
        "made": True,
        "retention_days": 400,
        "retention_changed": False,
        "search_attributes": list(NAMES),
        "added": list(NAMES),
        "schedules": [
            {"schedule_id": "audit-checkpoint", "done": "made", "paused": False},
            {"schedule_id": "weekly-digest", "done": "made", "paused": False},
        ],
    }
    again = plixo("temporal", "setup")
    assert again.code == 0
    words = [" ".join(line.split()) for line in again.out.splitlines()]
    assert words[:5] == [
        "namespace told, there",
        "retention 400 days",
        "search attributes PlixoKind, PlixoWaitsFor, PlixoDue, PlixoLane",
        "added now none",
        "schedules audit-checkpoint, there, weekly-digest, there",
    ]


def test_what_cannot_be_done_is_one_line(address: str, plixo: Plixo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plixo("temporal", "setup").err.startswith("plixo: No Temporal is configured; set PLIXO_TEMPORAL_ADDRESS")
    monkeypatch.setenv("PLIXO_TEMPORAL_ADDRESS", "127.0.0.1:9")
    assert plixo("temporal", "setup").err.startswith("plixo: Temporal does not answer at 127.0.0.1:9; start it")
    monkeypatch.setenv("PLIXO_TEMPORAL_ADDRESS", address)
    monkeypatch.setenv("PLIXO_TEMPORAL_NAMESPACE", "")
    refused = plixo("temporal", "setup")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert refused.err.startswith("plixo: Temporal answers INVALID_ARGUMENT: Namespace not set")
    assert plixo("temporal", "setup", "--retention-days", "0").code == 2
