import logging
from typing import Any

import pytest

from standin.contract.check import Contract
from standin.handlers.operation import Operation
from standin.handlers.registry import OPERATIONS


def test_every_operation_of_the_contract_has_a_handler_and_the_other_way_round(contract: Any) -> None:
    assert set(contract._responses) == set(OPERATIONS)


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_what_a_handler_honours_is_in_the_contract(contract: Any, operation: str) -> None:
    described = contract._requests  # compiled validators answer for the names
    for name in sorted(OPERATIONS[operation].honoured - {"expand"}):
        problems = [str(error) for error in described[operation].iter_errors({name: "x"})]
        assert not [problem for problem in problems if "Additional properties" in problem], (operation, name)


def test_an_answer_outside_the_contract_is_our_mistake_and_logged(
    standin: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    honest = OPERATIONS["PostCustomers"]

    def wrong(books: object, call: object) -> dict[str, object]:
        return {**honest.run(books, call), "surprise": True}

    monkeypatch.setitem(OPERATIONS, "PostCustomers", Operation(wrong, honest.honoured))
    with caplog.at_level(logging.ERROR):
        answer = standin.post("/v1/customers", {"name": "A"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "standin_contract_violation")
    assert "surprise" in answer.json()["error"]["message"]
    assert "does not conform" in caplog.text


def test_an_unknown_parameter_is_refused_by_name_before_anything_else(standin: Any) -> None:
    answer = standin.http.post("/v1/credit_notes", data={"invoice": "in_x", "ammount": "1"})
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == ("parameter_unknown", "ammount")


def test_a_body_beyond_4_mib_is_refused(standin: Any) -> None:
    answer = standin.post("/v1/customers", {"description": "x" * (4 * 1024 * 1024 + 1)})
    assert answer.status_code == 413


def test_a_note_of_1_mib_is_refused_in_stripes_shape(standin: Any) -> None:
    answer = standin.post("/v1/customers", {"description": "x" * 1024 * 1024})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "description"


def test_the_contract_is_the_committed_one() -> None:
    assert isinstance(Contract.load(), Contract)
