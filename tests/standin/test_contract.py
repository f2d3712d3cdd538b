import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from standin.contract import data, extract
from standin.contract.check import Contract, ContractError, ContractViolation
from standin.contract.extract import OPERATIONS, pruned, stripped
from standin.contract.overlay import OverlayError, apply

CONTRACT = Contract.load()
DESCRIPTION = data.load()
CUSTOMER = {"id": "cus_1", "object": "customer", "created": 1, "livemode": False}
ENTRY = {
    "id": "cbtxn_1",
    "object": "customer_balance_transaction",
    "amount": -500,
    "created": 1,
    "credit_note": None,
    "currency": "usd",
    "customer": "cus_1",
    "ending_balance": -500,
    "livemode": False,
    "metadata": {"plixo_effect": "eff_1"},
    "type": "credit_note",
}
WRITE_ENTRY = "PostCustomersCustomerBalanceTransactions"


def refused(method: str, path: str, body: bytes) -> ContractError:
    with pytest.raises(ContractError) as caught:
        CONTRACT.check_request(method, path, CONTRACT.decode(body))
    return caught.value


def params(method: str, path: str, body: bytes) -> dict[str, Any]:
    return CONTRACT.check_request(method, path, CONTRACT.decode(body)).params


def outcome(method: str, path: str, sent: dict[str, Any]) -> ContractError | None:
    try:
        CONTRACT.check_request(method, path, sent)
    except ContractError as error:
        return error
    return None


def violation(operation: str, status: int, body: dict[str, Any]) -> str:
    with pytest.raises(ContractViolation) as caught:
        CONTRACT.check_response(operation, status, body)
    return str(caught.value)


@pytest.mark.parametrize("line", OPERATIONS)
def test_every_operation_of_the_list_is_found_by_its_own_path(line: str) -> None:
    method, path = line.split()
    described = next(each for each in DESCRIPTION.operations if (each.method, each.path) == (method, path))
    names = [step[1:-1] for step in path.split("/") if step.startswith("{")]
    complete = dict.fromkeys(described.params["required"], "1") | {"inclusive": "true"}
    sent = {name: complete[name] for name in described.params["required"]}

    checked = CONTRACT.check_request(method, path.replace("{", "a_").replace("}", ""), sent)

    assert checked.operation == described.id
    assert checked.path_params == {name: f"a_{name}" for name in names}


def test_a_literal_step_goes_before_a_placeholder() -> None:
    assert CONTRACT.check_request("GET", "/v1/credit_notes/preview", {"invoice": "in_1"}).operation == (
        "GetCreditNotesPreview"
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/unicorns"),
        ("DELETE", "/v1/invoices/in_1"),
        ("GET", "/v1/customers/"),
        ("GET", "/v1/customers/a/b"),
        ("get", "/v1/customers"),
    ],
)
def test_a_route_that_is_not_described_is_not_found(method: str, path: str) -> None:
    error = refused(method, path, b"")
    assert (error.status, error.type, error.param) == (404, "invalid_request_error", None)
    assert f"{method}: {path}" in error.message


def test_parameters_get_the_types_of_the_schema() -> None:
    body = (
        b"invoice=in_1&amount=500&metadata[plixo_effect]=7&lines[0][type]=custom_line_item&lines[0][quantity]=2"
        b"&lines[0][unit_amount_decimal]=12.50&expand[]=customer&effective_at=1790000000"
    )
    assert params("POST", "/v1/credit_notes", body) == {
        "invoice": "in_1",
        "amount": 500,
        "metadata": {"plixo_effect": "7"},
        "lines": [{"type": "custom_line_item", "quantity": 2, "unit_amount_decimal": "12.50"}],
        "expand": ["customer"],
        "effective_at": 1790000000,
    }
    assert params("POST", "/v1/tax_rates", b"display_name=VAT&inclusive=false&percentage=8.25") == {
        "display_name": "VAT",
        "inclusive": False,
        "percentage": 8.25,
    }


def test_a_filter_is_a_value_or_a_range() -> None:
    assert params("GET", "/v1/invoices", b"created=5") == {"created": 5}
    assert params("GET", "/v1/invoices", b"created[gte]=5&limit=3") == {"created": {"gte": 5}, "limit": 3}


def test_numbered_metadata_stays_a_mapping() -> None:
    assert params("POST", "/v1/customers", b"metadata[0]=a&metadata[1]=") == {"metadata": {"0": "a", "1": ""}}


def test_a_list_whose_numbers_have_a_gap_is_read_in_their_order() -> None:
    assert params("GET", "/v1/events", b"types[7]=b&types[3]=a") == {"types": ["a", "b"]}


def test_an_unknown_parameter_is_refused_by_name() -> None:
    error = refused("POST", "/v1/credit_notes", b"invoice=in_1&amuont=5")
    assert (error.code, error.param, error.status) == ("parameter_unknown", "amuont", 400)
    assert error.message == "Received unknown parameter: amuont"


def test_an_unknown_parameter_is_refused_at_every_depth() -> None:
    nested = refused("POST", "/v1/credit_notes", b"invoice=in_1&lines[0][type]=custom_line_item&lines[0][colour]=red")
    behind_a_choice = refused("POST", "/v1/customers", b"address[planet]=mars")
    assert (nested.code, nested.param) == ("parameter_unknown", "lines[0][colour]")
    assert (behind_a_choice.code, behind_a_choice.param) == ("parameter_unknown", "address[planet]")


def test_every_unknown_parameter_is_listed() -> None:
    assert refused("POST", "/v1/customers", b"a=1&b=2").message == "Received unknown parameters: a, b"


def test_a_missing_parameter_is_named() -> None:
    top = refused("POST", "/v1/credit_notes", b"amount=5")
    nested = refused("POST", "/v1/credit_notes", b"invoice=in_1&lines[0][amount]=5")
    assert (top.code, top.param, top.message) == ("parameter_missing", "invoice", "Missing required param: invoice.")
    assert (nested.code, nested.param) == ("parameter_missing", "lines[0][type]")


def test_an_unknown_parameter_comes_before_a_missing_one_and_that_before_a_wrong_value() -> None:
    assert refused("POST", "/v1/credit_notes", b"amount=x&colour=red").code == "parameter_unknown"
    assert refused("POST", "/v1/credit_notes", b"amount=x").code == "parameter_missing"
    assert refused("POST", "/v1/credit_notes", b"amount=x&invoice=in_1").code == "parameter_invalid_integer"


@pytest.mark.parametrize("amount", ["x", "5.5", "NaN", "1e3", "0x10", " 5", "9" * 5000, "\u0665", "true"])
def test_what_is_no_integer_is_named(amount: str) -> None:
    with pytest.raises(ContractError) as caught:
        CONTRACT.check_request("POST", "/v1/credit_notes", {"invoice": "in_1", "amount": amount})
    assert (caught.value.code, caught.value.param) == ("parameter_invalid_integer", "amount")
    assert caught.value.message.startswith("Invalid integer: ")
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("path", "body", "param", "message"),
    [
        ("/v1/tax_rates", b"display_name=a&percentage=8&inclusive=maybe", "inclusive", "Invalid boolean: maybe"),
        ("/v1/tax_rates", b"display_name=a&percentage=inf&inclusive=true", "percentage", "Invalid number: inf"),
        ("/v1/credit_notes", b"invoice=in_1&lines=x", "lines", "Invalid array: x"),
        ("/v1/customers", b"address=x", "address", "Invalid object: x"),
        ("/v1/customers", b"name[first]=x", "name", "Invalid string: name"),
        ("/v1/prices", b"currency=usd&tiers[0][up_to]=most", "tiers[0][up_to]", "Invalid integer: most"),
        ("/v1/invoices", b"automatic_tax[enabled]=1", "automatic_tax[enabled]", "Invalid boolean: 1"),
    ],
)
def test_a_wrong_type_is_named(path: str, body: bytes, param: str, message: str) -> None:
    error = refused("POST", path, body)
    assert (error.param, error.message) == (param, message)


def test_a_value_that_is_not_listed_is_refused_with_the_choices() -> None:
    error = refused("POST", "/v1/credit_notes", b"invoice=in_1&reason=mood")
    assert error.param == "reason"
    assert error.message == (
        "Invalid reason: must be one of duplicate, fraudulent, order_change, product_unsatisfactory"
    )


def test_too_long_a_text_is_refused_without_repeating_it() -> None:
    error = refused("POST", "/v1/credit_notes", b"invoice=in_1&memo=" + b"m" * 5001)
    assert (error.param, error.message) == ("memo", "Invalid string: must be at most 5000 characters")
    assert params("POST", "/v1/credit_notes", b"invoice=in_1&memo=" + b"m" * 5000)["memo"]


def test_empty_text_clears_only_what_the_schema_lets_it_clear() -> None:
    assert params("POST", "/v1/customers/cus_1", b"metadata=&address=&metadata=") == {"metadata": "", "address": ""}
    for body in (b"invoice=in_1&amount=", b"invoice=", b"invoice=in_1&lines="):
        assert refused("POST", "/v1/credit_notes", body).code == "parameter_invalid_empty"


@pytest.mark.parametrize(
    "metadata",
    [{"k" * 41: "v"}, {"k": "v" * 501}, {f"k{number}": "v" for number in range(51)}],
    ids=["long key", "long value", "too many"],
)
def test_metadata_has_its_documented_limits(metadata: dict[str, str]) -> None:
    with pytest.raises(ContractError) as caught:
        CONTRACT.check_request("POST", "/v1/customers", {"metadata": metadata})
    assert str(caught.value.param).startswith("metadata")


def test_a_body_that_is_no_form_is_refused() -> None:
    with pytest.raises(ContractError) as caught:
        CONTRACT.decode(b"a=1&a[b]=2")
    assert (caught.value.status, caught.value.param) == (400, "a[b]")


@settings(deadline=None)  # a busy machine is no finding
@given(
    st.sampled_from([line.split() for line in OPERATIONS]),
    st.dictionaries(
        st.sampled_from("invoice amount lines metadata created limit items percentage expand address x".split()),
        st.recursive(
            st.text(max_size=5) | st.just("1"),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab01", max_size=2), inner, max_size=3),
            max_leaves=6,
        ),
    ),
)
def test_no_parameters_do_worse_than_being_refused(line: list[str], sent: dict[str, Any]) -> None:
    error = outcome(*line, sent)
    assert error is None or ((error.status, error.type) == (400, "invalid_request_error") and error.param)


def test_an_answer_that_conforms_passes() -> None:
    CONTRACT.check_response(WRITE_ENTRY, 200, ENTRY)
    page = {"object": "list", "url": "/v1/customers/cus_1/balance_transactions", "has_more": False, "data": [ENTRY]}
    CONTRACT.check_response("GetCustomersCustomerBalanceTransactions", 200, page)
    CONTRACT.check_response("GetCustomersCustomer", 200, {"id": "cus_1", "object": "customer", "deleted": True})


@pytest.mark.parametrize("key", [key for key in ENTRY if key not in {"credit_note", "metadata"}])
def test_an_answer_without_a_required_key_is_a_violation(key: str) -> None:
    assert f'"{key}" is a required property' in violation(
        WRITE_ENTRY, 200, {name: value for name, value in ENTRY.items() if name != key}
    )


def test_an_answer_with_an_unknown_key_is_a_violation() -> None:
    assert "'mood'" in violation(WRITE_ENTRY, 200, ENTRY | {"mood": "good"})


def test_an_unknown_key_is_a_violation_at_every_depth() -> None:
    page = {"object": "list", "url": "/v1/invoices", "has_more": False, "data": [CUSTOMER | {"mood": "good"}]}
    assert "data[0]: " in violation("GetCustomers", 200, page)
    assert "'mood'" in violation("GetCustomers", 200, page)
    assert "'mood'" in violation(WRITE_ENTRY, 200, ENTRY | {"customer": CUSTOMER | {"mood": "good"}})


@pytest.mark.parametrize(
    ("key", "value"),
    [("amount", "5"), ("amount", None), ("type", "gift"), ("currency", 5), ("metadata", {"k": 1}), ("livemode", 0)],
)
def test_a_wrong_value_in_an_answer_is_a_violation(key: str, value: object) -> None:
    assert violation(WRITE_ENTRY, 200, ENTRY | {key: value}).startswith(f"{WRITE_ENTRY} 200: {key}")


def test_a_reference_may_be_expanded_to_a_resource_that_the_stand_in_has() -> None:
    CONTRACT.check_response(WRITE_ENTRY, 200, ENTRY | {"customer": CUSTOMER})
    CONTRACT.check_response("PostCustomers", 200, CUSTOMER | {"default_source": "card_1"})
    assert "default_source" in violation("PostCustomers", 200, CUSTOMER | {"default_source": {"object": "card"}})


def test_a_status_that_is_not_described_is_a_violation() -> None:
    for status in (201, 302):
        assert "not described" in violation("PostCreditNotes", status, {"error": {"type": "api_error"}})


def test_errors_are_held_to_the_error_schema() -> None:
    error = {"type": "invalid_request_error", "message": "No such invoice", "param": "invoice"}
    for status in (400, 404, 500):
        CONTRACT.check_response("PostCreditNotes", status, {"error": error})
        assert "'mood'" in violation("PostCreditNotes", status, {"error": error | {"mood": "bad"}})
    assert violation("PostCreditNotes", 400, ENTRY)


def test_the_data_file_is_as_extract_writes_it_and_names_its_source() -> None:
    text = Path(extract.__file__).with_name("stripe.json").read_text()
    content = json.loads(text)
    assert extract.written(content) == text
    assert content["source"].items() >= extract.SOURCE.items()
    assert content["source"]["api"] == "2026-08-26.dahlia"
    assert len(content["source"]["sha256"]) == 64
    assert {f"{each['method']} {each['path']}" for each in content["operations"].values()} == set(OPERATIONS)


def keywords(schema: dict[str, Any]) -> set[str]:
    below = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    below += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    return set(schema).union(*(keywords(each) for each in below))


def test_the_data_file_holds_no_prose() -> None:
    operations = DESCRIPTION.operations
    schemas = [
        *DESCRIPTION.schemas.values(),
        *(each.params for each in operations),
        *(each.response for each in operations),
    ]
    known = "$ref additionalProperties anyOf enum format items maxLength nullable pattern properties required type"
    assert set().union(*map(keywords, schemas)) == set(known.split())


def test_prose_and_foreign_expansions_are_left_behind() -> None:
    published = {
        "description": "long",
        "x-expansionResources": {"oneOf": []},
        "anyOf": [
            {"type": "string"},
            {"$ref": "#/components/schemas/invoice"},
            {"$ref": "#/components/schemas/mandate"},
        ],
    }
    assert stripped({"title": "T", "properties": {"description": published}}) == {
        "properties": {"description": {"anyOf": [{"type": "string"}, {"$ref": "#/components/schemas/invoice"}]}}
    }


def test_a_required_property_is_never_left_out_in_silence() -> None:
    schema = {"properties": {"source": {"$ref": "#/components/schemas/source"}}, "required": ["source"]}
    with pytest.raises(ValueError, match="source"):
        pruned("charge", schema)


@pytest.mark.parametrize(
    "change",
    [
        {"at": "kind", "add": ["a"]},
        {"at": "kind", "set": {"enum": ["a", "b"]}},
        {"at": "gone", "drop": True},
        {"at": "kind.below", "set": {"type": "string"}},
    ],
)
def test_a_change_that_changes_nothing_is_an_error(change: dict[str, Any]) -> None:
    with pytest.raises(OverlayError):
        apply(change, {"properties": {"kind": {"enum": ["a", "b"]}}})


def test_a_change_reaches_into_lists_and_choices() -> None:
    schema: dict[str, Any] = {
        "properties": {"rows": {"anyOf": [{"enum": [""]}, {"items": {"properties": {"kind": {"enum": ["a"]}}}}]}}
    }
    apply({"at": "rows[].kind", "add": ["b"]}, schema)
    assert schema["properties"]["rows"]["anyOf"][1]["items"]["properties"]["kind"] == {"enum": ["a", "b"]}
