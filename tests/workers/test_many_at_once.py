"""One import does not keep others waiting: its requests and mails have their turn after everybody else's."""

from plixo.domain.approval import ENDED
from plixo.store import audit
from starters.credits import Asked, request_credit
from tests.support.house import House, credit_form
from workers.main import working

BACKLOG = 40


async def imported(house: House, amount: str) -> Asked:
    return await request_credit(house.desk, house.people["billing_admin"], credit_form(amount=amount), bulk=True)


async def opened_before(house: House, asked: Asked) -> int:
    """How many other requests were opened before this one."""
    async with house.desk.ledger.read() as session:
        lines = await audit.lines(session)
    order = [line.approval_id for line in sorted(lines, key=lambda line: line.at) if line.event == "opened"]
    return order.index(asked.record.approval.approval_id)


async def test_a_single_request_is_taken_up_before_the_rest_of_an_imports_backlog(idle_house: House) -> None:
    house = idle_house
    many = [await imported(house, "0.01") for _ in range(BACKLOG)]
    single = await house.ask("0.01")
    async with working(house.workshop):
        await house.until_ended(single)
        for asked in many:
            await house.until_state(asked, *ENDED)
    assert await opened_before(house, single) < BACKLOG / 2
