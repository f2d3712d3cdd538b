"""The data file and its overlay describe the parameters that the official SDK's own types describe.

Both sides are flattened to a set of facts, one a line, so that a failure names every difference:
`lines[].amount` (exists), `lines[].type required`, `lines[].amount integer`, `reason = duplicate`.
"""

import types
import typing
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NotRequired, Required, Union, get_args, get_origin, get_type_hints

import pytest
import stripe
import stripe.params
import typing_extensions
from stripe._request_options import RequestOptions

from standin.contract import data
from standin.contract.dialect import branches, target

SDK_TYPES = {
    "DeleteCustomersCustomer": "CustomerDeleteParams",
    "GetCharges": "ChargeListParams",
    "GetChargesCharge": "ChargeRetrieveParams",
    "GetCreditNotes": "CreditNoteListParams",
    "GetCreditNotesCreditNoteLines": "CreditNoteLineItemListParams",
    "GetCreditNotesId": "CreditNoteRetrieveParams",
    "GetCreditNotesPreview": "CreditNotePreviewParams",
    "GetCustomers": "CustomerListParams",
    "GetCustomersCustomer": "CustomerRetrieveParams",
    "GetCustomersCustomerBalanceTransactions": "CustomerBalanceTransactionListParams",
    "GetCustomersCustomerBalanceTransactionsTransaction": "CustomerBalanceTransactionRetrieveParams",
    "GetEvents": "EventListParams",
    "GetEventsId": "EventRetrieveParams",
    "GetInvoiceitems": "InvoiceItemListParams",
    "GetInvoiceitemsInvoiceitem": "InvoiceItemRetrieveParams",
    "GetInvoices": "InvoiceListParams",
    "GetInvoicesInvoice": "InvoiceRetrieveParams",
    "GetPaymentIntents": "PaymentIntentListParams",
    "GetPaymentIntentsIntent": "PaymentIntentRetrieveParams",
    "GetPrices": "PriceListParams",
    "GetPricesPrice": "PriceRetrieveParams",
    "GetProducts": "ProductListParams",
    "GetProductsId": "ProductRetrieveParams",
    "GetTaxRates": "TaxRateListParams",
    "GetTaxRatesTaxRate": "TaxRateRetrieveParams",
    "PostCreditNotes": "CreditNoteCreateParams",
    "PostCreditNotesId": "CreditNoteUpdateParams",
    "PostCreditNotesIdVoid": "CreditNoteVoidCreditNoteParams",
    "PostCustomers": "CustomerCreateParams",
    "PostCustomersCustomer": "CustomerUpdateParams",
    "PostCustomersCustomerBalanceTransactions": "CustomerBalanceTransactionCreateParams",
    "PostInvoiceitems": "InvoiceItemCreateParams",
    "PostInvoices": "InvoiceCreateParams",
    "PostInvoicesInvoice": "InvoiceUpdateParams",
    "PostInvoicesInvoiceFinalize": "InvoiceFinalizeInvoiceParams",
    "PostInvoicesInvoiceMarkUncollectible": "InvoiceMarkUncollectibleParams",
    "PostInvoicesInvoicePay": "InvoicePayParams",
    "PostInvoicesInvoiceSend": "InvoiceSendInvoiceParams",
    "PostInvoicesInvoiceVoid": "InvoiceVoidInvoiceParams",
    "PostPaymentIntents": "PaymentIntentCreateParams",
    "PostPaymentIntentsIntentConfirm": "PaymentIntentConfirmParams",
    "PostPrices": "PriceCreateParams",
    "PostPricesPrice": "PriceUpdateParams",
    "PostProducts": "ProductCreateParams",
    "PostProductsId": "ProductUpdateParams",
    "PostTaxRates": "TaxRateCreateParams",
}
SCALARS = {int: "integer", str: "string", bool: "boolean", float: "number", Decimal: "decimal"}
# `RequestOptions`, their base, is annotated with names that their own modules lack.
BASE_NAMES = {"StripeContext": str, "Mapping": Mapping}
OPERATIONS = {operation.id: operation for operation in data.load().operations}


def described(schema: data.Schema, path: str = "") -> Iterator[str]:
    """The facts of the data file."""
    for branch in schema.get("anyOf", [schema]):
        for name, below in branch.get("properties", {}).items():
            yield from field(path, name, required=name in branch.get("required", []))
            yield from described(below, f"{path}.{name}")
        if "properties" in branch:
            yield f"{path} object"
        if "items" in branch:
            yield from described(branch["items"], f"{path}[]")
        if "additionalProperties" in branch:
            yield from described(branch["additionalProperties"], f"{path}{{}}")
        if "anyOf" in branch and branch is not schema:
            yield from described(branch, path)
        elif "enum" in branch:
            yield from (f"{path} = {value}" for value in branch["enum"])
        elif branch.get("type") not in {"object", "array", None}:
            yield f"{path} {'decimal' if branch.get('format') == 'decimal' else branch['type']}"


def typed(annotation: Any, path: str = "") -> Iterator[str]:
    """The facts of the SDK's type; a literal beside plain text is how the SDK writes an enum that may grow."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if typing.is_typeddict(annotation) or typing_extensions.is_typeddict(annotation):
        yield f"{path} object"
        yield from typed_fields(annotation, path)
    elif origin in {NotRequired, Required, typing_extensions.NotRequired, typing_extensions.Required}:
        yield from typed(arguments[0], path)
    elif origin in {Union, types.UnionType}:
        facts = {fact for argument in arguments for fact in typed(argument, path)}
        grows = any(fact.startswith(f"{path} = ") and fact != f"{path} = " for fact in facts)
        yield from facts - ({f"{path} string"} if grows else set())
    elif origin in {typing.Literal, typing_extensions.Literal}:
        yield from (f"{path} = {value}" for value in arguments)
    elif origin in {list, dict}:
        yield from typed(arguments[-1], path + ("[]" if origin is list else "{}"))
    elif annotation in SCALARS:
        yield f"{path} {SCALARS[annotation]}"
    elif origin is None or origin.__name__ != "UntypedStripeObject":
        raise AssertionError(f"{path}: what is {annotation}?")


def typed_fields(params: Any, path: str) -> Iterator[str]:
    hints = get_type_hints(params, localns=BASE_NAMES, include_extras=True)
    for name in hints.keys() - (RequestOptions.__annotations__.keys() if path == "" else set()):
        yield from field(path, name, required=name in params.__required_keys__)
        yield from typed(hints[name], f"{path}.{name}")


def field(path: str, name: str, *, required: bool) -> Iterator[str]:
    yield f"{path}.{name}"
    if required:
        yield f"{path}.{name} required"


def test_every_described_operation_is_compared() -> None:
    assert SDK_TYPES.keys() == OPERATIONS.keys()


@pytest.mark.parametrize(("operation", "params"), SDK_TYPES.items())
def test_the_parameters_are_those_of_the_sdk(operation: str, params: str) -> None:
    ours = set(described(OPERATIONS[operation].params))
    theirs = set(typed(getattr(stripe.params, params)))

    assert {"described only": sorted(ours - theirs), "in the SDK only": sorted(theirs - ours)} == {
        "described only": [],
        "in the SDK only": [],
    }


RESOURCES = {
    "charge": stripe.Charge,
    "credit_note": stripe.CreditNote,
    "credit_note_line_item": stripe.CreditNoteLineItem,
    "customer": stripe.Customer,
    "customer_balance_transaction": stripe.CustomerBalanceTransaction,
    "event": stripe.Event,
    "invoice": stripe.Invoice,
    "invoiceitem": stripe.InvoiceItem,
    "line_item": stripe.InvoiceLineItem,
    "payment_intent": stripe.PaymentIntent,
    "price": stripe.Price,
    "product": stripe.Product,
    "tax_rate": stripe.TaxRate,
}
SCHEMAS = data.load().schemas

# What `extract` leaves out of answers, as the SDK's fields: other ways of paying, and resources of no concern.
WAYS_OF_PAYING = ("payment_method_details", "payment_method_options")
LEFT_OUT = {
    *("charge.level3", "charge.refunds", "charge.source"),
    *(f"charge.payment_method_details.card.{name}" for name in ("description", "iin", "issuer")),
    *(f"customer.{name}" for name in ("sources", "subscriptions", "tax_ids")),
    *(f"invoice.last_finalization_error.{name}" for name in ("payment_method", "setup_intent", "source")),
    *(f"payment_intent.last_payment_error.{name}" for name in ("payment_method", "setup_intent", "source")),
    *("payment_intent.next_action", "payment_intent.source"),
}


def inside(schema: data.Schema) -> dict[str, data.Schema]:
    """The fields of what a property holds; where it holds one of several objects, of them all."""
    merged: dict[str, data.Schema] = {}
    for found in objects(schema):
        for name, below in found["properties"].items():
            merged[name] = {"anyOf": [*branches(merged[name]), *branches(below)]} if name in merged else below
    return merged


def objects(schema: data.Schema) -> Iterator[data.Schema]:
    """The objects that a property holds, itself or in a list; not those that it could be expanded to."""
    for branch in branches(schema):
        named = target(branch)
        if named is not None and named not in RESOURCES:
            yield from objects(SCHEMAS[named])
        elif "properties" in branch:
            yield branch
        elif "items" in branch:
            yield from objects(branch["items"])


def listed(schema: data.Schema) -> set[str]:
    """The values that a property, or each item of a list, is limited to."""
    return {
        value
        for branch in branches(schema)
        for value in (listed(branch["items"]) if "items" in branch else branch.get("enum", []))
    }


def literals(annotation: Any) -> set[str]:
    if get_origin(annotation) in {typing.Literal, typing_extensions.Literal}:
        return set(get_args(annotation))
    return {value for argument in get_args(annotation) for value in literals(argument)}


def resource_differences(fields: dict[str, data.Schema], sdk: type, path: str) -> Iterator[str]:
    theirs = {name: kind for name, kind in sdk.__annotations__.items() if name.islower() and not name.startswith("_")}
    theirs.pop("deleted", None)  # the SDK has one class for a resource and for what is left of it
    missing = {name for name in theirs.keys() - fields if f"{path}.{name}" not in LEFT_OUT}
    if path.rpartition(".")[2] not in WAYS_OF_PAYING:
        yield from (f"in the SDK only: {path}.{name}" for name in missing)
    yield from (f"described only: {path}.{name}" for name in fields.keys() - theirs)
    inner = getattr(sdk, "_inner_class_types", None) or {}
    for name in fields.keys() & theirs:
        ours = listed(fields[name])
        if ours not in (set(), literals(theirs[name])):  # what is open in the description may be anything
            yield f"{path}.{name}: {sorted(ours ^ literals(theirs[name]))}"
        held = inside(fields[name]) if name in inner else {}
        if held:
            yield from resource_differences(held, inner[name], f"{path}.{name}")


@pytest.mark.parametrize(("name", "sdk"), RESOURCES.items())
def test_the_resources_have_the_fields_and_values_of_the_sdk(name: str, sdk: type) -> None:
    assert sorted(resource_differences(SCHEMAS[name]["properties"], sdk, name)) == []
