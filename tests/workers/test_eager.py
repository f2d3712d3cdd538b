"""A worker that has nothing else to do gets a request's first activity with the answer to its workflow task."""

from temporalio.client import Client
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig

from plixo.domain.approval import State
from tests.support.house import House
from workers.main import ACTIVITY_POLLERS, DATABASE_AT_ONCE, approvals_worker


def test_polls_leave_most_slots_to_activities_that_come_by_themselves() -> None:
    assert ACTIVITY_POLLERS.maximum <= DATABASE_AT_ONCE // 2


async def test_the_first_activity_does_not_go_through_the_queue(idle_house: House) -> None:
    house, meter = idle_house, MetricBuffer(10_000)
    client = await Client.connect(
        house.settings.temporal_address,
        data_converter=house.workshop.temporal.data_converter,
        runtime=Runtime(telemetry=TelemetryConfig(metrics=meter)),
    )
    asked = await house.ask("0.01")
    async with approvals_worker(client, house.workshop):
        await house.until_state(asked, State.APPROVED)
    received = [one for one in meter.retrieve_updates() if one.metric.name == "temporal_activity_task_received"]
    assert [one.attributes["eager"] for one in received] == [True]
