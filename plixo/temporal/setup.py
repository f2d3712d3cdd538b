"""What Plixo needs of a Temporal cluster before it runs there: a namespace, its retention, its search attributes."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    RegisterNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.common import SearchAttributeIndexedValueType, SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

RETENTION: Final = timedelta(days=365)
"""How long Temporal keeps ended requests unless somebody says otherwise; its own default is days."""

SETTLE_SECONDS: Final = 60.0
"""How long a cluster may take until each of its parts knows what was made; they ask each other every few seconds."""


class CannotSetUp(Exception):
    """The cluster is not as Plixo needs it, and cannot be made so from here; the message says what to do."""


@dataclass(frozen=True)
class SetUp:
    """What a cluster has now.

    Attributes:
        namespace: Its name.
        made: Whether it was made just now.
        retention: How long it keeps what has ended.
        retention_changed: Whether that is another time than it was.
        attributes: All search attributes that workflows set.
        added: Those of them that were added just now.
    """

    namespace: str
    made: bool
    retention: timedelta
    retention_changed: bool
    attributes: tuple[str, ...]
    added: tuple[str, ...]


async def set_up(client: Client, attributes: Sequence[SearchAttributeKey[Any]], retention: timedelta | None) -> SetUp:
    """Bring the client's namespace to what workflows need; what is so already is left alone.

    Args:
        client: Connected to the cluster; its namespace need not be there.
        attributes: The search attributes that workflows set.
        retention: How long the namespace keeps what has ended; None makes it `RETENTION`, and leaves a longer one.

    Raises:
        CannotSetUp: A search attribute has another type there, or the cluster does not take in what was made.
        RPCError: The cluster refuses.
    """
    before = await _retention(client)
    made = before is None and await _make(client, retention or RETENTION)
    kept = (retention or RETENTION) if made else before or timedelta(0)
    wanted = retention or max(kept, RETENTION)
    added = await _add_attributes(client, {key.name: key.indexed_value_type for key in attributes})
    if kept != wanted:
        await set_retention(client, wanted)
    names = tuple(key.name for key in attributes)
    return SetUp(client.namespace, made, wanted, kept != wanted, names, added)


async def set_retention(client: Client, retention: timedelta) -> None:
    """Have the client's namespace keep what has ended for this long.

    Raises:
        RPCError: There is no such namespace, or the cluster refuses.
    """
    config = NamespaceConfig(workflow_execution_retention_ttl=_duration(retention))
    request = UpdateNamespaceRequest(namespace=client.namespace, config=config)
    await client.workflow_service.update_namespace(request)


async def _retention(client: Client) -> timedelta | None:
    """How long the namespace keeps what has ended; None when there is no such namespace."""
    try:
        found = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    return found.config.workflow_execution_retention_ttl.ToTimedelta()


async def _make(client: Client, retention: timedelta) -> bool:
    """Make the namespace; whether it was us and not somebody else in the same moment."""
    request = RegisterNamespaceRequest(
        namespace=client.namespace,
        description="Plixo",
        workflow_execution_retention_period=_duration(retention),
    )
    try:
        await client.workflow_service.register_namespace(request)
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise
        return False
    return True


async def _add_attributes(client: Client, wanted: Mapping[str, SearchAttributeIndexedValueType]) -> tuple[str, ...]:
    """Add those that are missing and wait until they are known; the names of those that were."""
    missing = _missing(wanted, await _settled(client, ()))
    if missing:
        request = AddSearchAttributesRequest(
            namespace=client.namespace,
            search_attributes={name: wanted[name].value for name in missing},  # type: ignore[misc]
        )
        await client.operator_service.add_search_attributes(request)
        await _settled(client, missing)
    return missing


def _missing(wanted: Mapping[str, SearchAttributeIndexedValueType], there: Mapping[str, int]) -> tuple[str, ...]:
    for name, kind in wanted.items():
        if there.get(name, kind.value) != kind.value:
            other = SearchAttributeIndexedValueType(there[name])
            raise CannotSetUp(
                f"The search attribute {name} is {other.name} there and must be {kind.name}; "
                "rename that one, or take another namespace."
            )
    return tuple(name for name in wanted if name not in there)


async def _settled(client: Client, names: Sequence[str]) -> Mapping[str, int]:
    """The namespace's own search attributes and their types, once the cluster's front knows it and these of them."""
    request = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            while True:
                there = await _listed(client, request)
                if there is not None and set(names) <= set(there):
                    return there
                await asyncio.sleep(0.2)
    except TimeoutError as error:
        raise CannotSetUp(
            f"After {SETTLE_SECONDS:.0f} s the cluster still lacks what was made in the namespace {client.namespace}; "
            "run this again."
        ) from error


async def _listed(client: Client, request: ListSearchAttributesRequest) -> Mapping[str, int] | None:
    try:
        return dict((await client.operator_service.list_search_attributes(request)).custom_attributes)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None


def _duration(span: timedelta) -> Duration:
    duration = Duration()
    duration.FromTimedelta(span)
    return duration
