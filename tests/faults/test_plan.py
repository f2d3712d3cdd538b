from collections import Counter

import pytest

from tests.faults.plan import LONG, NORMAL, SHORT, Size, make_plan
from tests.faults.scenes import NAMES as SCENES
from tests.faults.strikes import NAMES as STRIKES


@pytest.mark.parametrize("size", [SHORT, NORMAL, LONG])
def test_the_same_seed_is_the_same_plan_and_another_is_another(size: Size) -> None:
    assert make_plan(7, size) == make_plan(7, size)
    assert make_plan(7, size) != make_plan(8, size)


@pytest.mark.parametrize(("size", "requests"), [(NORMAL, 300), (LONG, 1000)])
def test_every_seed_plays_every_fault(size: Size, requests: int) -> None:
    for seed in range(20):
        plan = make_plan(seed, size)
        struck = Counter(batch.strike.kind for batch in (*plan.batches, *plan.postgres))
        assert set(struck) == set(STRIKES)
        assert sum(times for kind, times in struck.items() if kind.startswith("killed_")) >= 22
        assert set(plan.scenes) == set(SCENES)
        assert sum(len(batch.errands) for batch in plan.batches) == requests
        gusts = [gust for batch in plan.batches for gust in (*batch.weather, batch.lossy)]
        kinds = {gust.rule["kind"] for gust in gusts if gust}
        assert kinds >= {"reset_after", "429", "lock_timeout", "409", "502_html", "cut_body", "done_late", "slow"}


def test_every_request_has_an_id_of_its_own_and_some_end_otherwise() -> None:
    errands = [errand for batch in make_plan(3, NORMAL).batches for errand in batch.errands]

    assert len({errand.request_id for errand in errands}) == len(errands)
    assert {errand.ends for errand in errands} == {"executed", "rejected", "withdrawn"}
