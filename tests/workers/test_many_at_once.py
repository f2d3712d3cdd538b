"""One import does not keep others waiting: its requests have their turn after everybody else's, up to Stripe."""

from plixo.domain.approval import State
from plixo.store import audit
from starters.credits import Asked, request_credit
from tests.support.house import House, credit_form
from workers.main import approvals_worker, stripe_worker

BACKLOG = 45
WELL_BEFORE_ITS_END = BACKLOG * 2 // 3
"""What a worker has in its hands already goes first, and that is a dozen or two; without priorities it would be all."""


async def imported(house: House) -> Asked:
    return await request_credit(house.desk, house.people["billing_admin"], credit_form(amount="0.01"), bulk=True)


async def came_before(house: House, asked: Asked, event: str) -> int:
    """How many other requests came to this before."""
    async with house.desk.ledger.read() as session:
        lines = await audit.lines(session)
    order = [line.approval_id for line in sorted(lines, key=lambda line: line.at) if line.event == event]
    return order.index(asked.record.approval.approval_id)


async def test_a_single_request_goes_before_the_rest_of_an_imports_backlog_at_its_start_and_at_stripe(
    idle_house: House,
) -> None:
    """Each time nobody is at work while the import piles up, and the single request comes last."""
    house = idle_house
    many = [await imported(house) for _ in range(BACKLOG)]
    first = await house.ask("0.01")
    async with approvals_worker(house.workshop.temporal, house.workshop):
        for asked in (*many, first):
            await house.until_state(asked, State.APPROVED)
        assert await came_before(house, first, "opened") < WELL_BEFORE_ITS_END

        second = await house.ask("0.01")
        await house.until_state(second, State.APPROVED)
        async with stripe_worker(house.workshop.stripe_client, house.workshop):
            for asked in (*many, first, second):
                await house.until_state(asked, State.EXECUTED)
        assert await came_before(house, second, "effect_done") < WELL_BEFORE_ITS_END
