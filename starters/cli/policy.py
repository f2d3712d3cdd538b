"""Commands on the policy: what is published, and whether a folder could be."""

from pathlib import Path
from typing import Any, Final

from cyclopts import App

from starters.cli.example import example
from starters.cli.failures import CommandFailed
from starters.cli.output import facts, heading, line, pages, show, table
from starters.cli.reach import HERE, Json, Reach, reached
from starters.cli.settings import load_settings

app = App(
    name="policy",
    help="Who must approve what, and whether a policy can be used.",
    help_epilogue=example("plixo policy show"),
)


_SUMS: Final = {
    "requester_automatic": "A requester's automatic credits",
    "customer_automatic": "A customer's automatic credits",
    "customer_all": "A customer's credits, one approver",
    "company_day": "All credits of a day, without CFO",
    "requester_day": "A requester's of a day, without CFO",
}


@app.command(name="show", help_epilogue=example("plixo policy show --json"))
def show_published(*, reach: Reach = HERE) -> None:
    """Show the published policy: its version, its limits and its rules in words."""
    with reached(reach) as api:
        policy = api.get("policy")
    base = policy["base_currency"]
    page = pages(
        heading(f"Policy {policy['reference']} routes new requests."),
        facts([("Base currency", base), *_limits(policy["limits"], base)]),
        line(""),
        rules_table(policy["rules"]),
    )
    show(policy, page, as_json=reach.as_json, following="plixo policy check ./policies")


@app.command(help_epilogue=example("plixo policy check ./policies"))
def check(folder: Path | None = None, /, *, as_json: Json = False) -> None:
    """Check a folder's limits.toml and approvals.jdm.json, trying every reason on them.

    Args:
        folder: The folder; the shipped policy when left out.
        as_json: Print one JSON document.
    """
    from plixo.policy.published import PolicyInvalid, load_policy  # noqa: PLC0415 - `plixo --help` stays quick

    place = folder or load_settings().policies
    try:
        policy = load_policy(place)
    except PolicyInvalid as invalid:
        raise CommandFailed(f"This policy cannot be used: {invalid}.") from invalid
    rules = [{"rule": rule.rule, "words": rule.words, "conditions": rule.conditions} for rule in policy.rules()]
    document = {
        "ok": True,
        "folder": str(place),
        "hash": policy.hash,
        "base_currency": policy.base_currency,
        "rules": rules,
    }
    page = pages(
        heading(f"The policy in {place} can be used."),
        facts([("Hash", policy.hash), ("Base currency", policy.base_currency)]),
        line(""),
        rules_table(rules),
    )
    show(document, page, as_json=as_json, following="plixo policy show")


def rules_table(rules: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - rich's own
    """The decision table's rows, in words; their conditions are for `--json`."""
    rows = [(str(rule["rule"]), str(rule["words"])) for rule in rules]
    return table(["Rule!", "Says"], rows, empty="It has no rules.")


def _limits(plain: dict[str, Any], base: str) -> list[tuple[str, str]]:
    """What is alone within somebody's authority, and the sums behind it."""
    found = [(f"{_label(group)} alone", row) for group, row in plain["authority"].items()]
    found += [
        (f"{_label(group)} approves", {kind: row[group]}) for kind, row in plain["approve"].items() for group in row
    ]
    told = [(name, ", ".join(f"{amount:,} {base} a {kind}" for kind, amount in row.items())) for name, row in found]
    days = plain["sums"]["days"]
    sums = [
        (_SUMS.get(name, _label(name)), f"{amount:,} {base} in {days} days")
        for name, amount in plain["sums"].items()
        if name != "days"
    ]
    return (
        told
        + sums
        + [(_SUMS.get(name, _label(name)), f"{amount:,} {base}") for name, amount in plain["ceilings"].items()]
    )


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()
