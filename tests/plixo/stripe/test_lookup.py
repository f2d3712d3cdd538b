"""Look-ups in lists that are too long for one try: each ends, finds what was made, and hides nothing."""

from dataclasses import replace
from typing import Any

import pytest

from plixo.domain.effects import Effect, EffectKind
from plixo.domain.money import Money
from plixo.domain.payments import LookUpUnfinished, Unavailable
from plixo.ports import Payments, StripeObject

pytestmark = pytest.mark.usefixtures("_short")
ENTRIES = "/v1/customers/*/balance_transactions"


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A try reads one page of two."""
    monkeypatch.setattr("plixo.stripe.gateway.PAGE", 2)
    monkeypatch.setattr("plixo.stripe.lookup.LOOK_SECONDS", 0.0)


@pytest.fixture
def effect(standin: Any) -> Effect:
    """A credit to a balance that has moved nine times."""
    customer = standin.customer()
    moved(standin, customer, 9)
    params = {"amount": -4_200, "currency": "usd", "metadata": {"plixo_effect": f"EF-{customer}"}}
    kind = EffectKind.BALANCE_TRANSACTION
    return Effect(f"EF-{customer}", f"CR-{customer}", kind, params, customer, Money(4_200, "USD"), customer)


def moved(standin: Any, customer: str, times: int = 1) -> None:
    for _ in range(times):
        standin.post(f"/v1/customers/{customer}/balance_transactions", amount=-100, currency="usd")


async def looked_up(gateway: Payments, effect: Effect) -> tuple[int, StripeObject | None]:
    """How many tries did not come to an end, and what the one found that did."""
    for tries in range(20):
        try:
            return tries, await gateway.find(effect)
        except LookUpUnfinished:
            pass
    raise AssertionError("it never ends")


async def test_a_look_up_goes_on_where_the_last_try_ended_and_ends(standin: Any, gateway: Any, effect: Effect) -> None:
    standin.fault("500", "GET", ENTRIES, nth=1_000)  # counts the calls
    assert await looked_up(gateway, effect) == (5, None)
    assert standin.fault_calls() == [6]  # five pages down, and one that tells that nothing has come since


async def test_what_was_made_before_all_others_is_found(standin: Any, gateway: Any, effect: Effect) -> None:
    made = await gateway.apply(effect)
    moved(standin, effect.customer_id, 8)
    assert await looked_up(gateway, effect) == (4, made)


async def test_what_is_made_while_it_is_looked_for_is_found(standin: Any, gateway: Any, effect: Effect) -> None:
    """An answer may be late, and the list grows at the end that was read first."""
    with pytest.raises(LookUpUnfinished):
        await gateway.find(effect)
    moved(standin, effect.customer_id)
    made = await gateway.apply(effect)
    moved(standin, effect.customer_id, 5)
    assert (await looked_up(gateway, effect))[1] == made


async def test_a_page_that_fails_takes_nothing_back(standin: Any, gateway: Any, effect: Effect) -> None:
    made = await gateway.apply(effect)
    moved(standin, effect.customer_id, 8)
    for _ in range(2):
        with pytest.raises(LookUpUnfinished):
            await gateway.find(effect)
    standin.fault("500", "GET", ENTRIES, times=1)
    with pytest.raises(Unavailable):
        await gateway.find(effect)
    assert await looked_up(gateway, effect) == (2, made)


async def test_one_that_came_to_its_end_begins_anew(gateway: Any, effect: Effect) -> None:
    assert (await looked_up(gateway, effect))[1] is None
    made = await gateway.apply(effect)
    assert await looked_up(gateway, effect) == (0, made)


async def test_what_was_read_of_one_customer_is_not_taken_for_anothers(
    standin: Any, gateway: Any, effect: Effect
) -> None:
    made = await gateway.apply(effect)
    moved(standin, effect.customer_id, 3)
    elsewhere = replace(effect, customer_id=standin.customer())
    moved(standin, elsewhere.customer_id, 9)
    with pytest.raises(LookUpUnfinished):
        await gateway.find(elsewhere)
    assert (await looked_up(gateway, effect))[1] == made


async def test_only_so_many_are_remembered(
    standin: Any, gateway: Any, effect: Effect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plixo.stripe.lookup.KEPT", 1)
    made = await gateway.apply(effect)
    moved(standin, effect.customer_id, 3)
    for one in (effect, replace(effect, effect_id="EF-CR-other")):
        with pytest.raises(LookUpUnfinished):
            await gateway.find(one)
    assert await looked_up(gateway, effect) == (1, made)
