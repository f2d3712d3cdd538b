"""Commands on the policy: what holds, what was drafted, what a change would do, and letting it hold."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, Parameter, validators

from starters.cli import policy_views as views
from starters.cli.example import example
from starters.cli.failures import USAGE, CommandFailed
from starters.cli.output import facts, heading, line, pages, show
from starters.cli.reach import HERE, Json, Reach, reached
from starters.cli.settings import load_settings

if TYPE_CHECKING:
    from plixo.policy.published import PublishedPolicy

app = App(
    name="policy",
    help="Who must approve what: read it, draft it, try it, publish it.",
    help_epilogue=example("plixo policy show"),
)
app.command("starters.cli.policy_rates:app", name="rates", help="Exchange rates into the policy's base currency.")

_DRAFT: Final = re.compile(r"PD-[A-Z2-7]{26}")
DraftId = Annotated[str, Parameter(help="The draft's id, such as PD-….")]
Days = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=366))]


@app.command(name="show", help_epilogue=example("plixo policy show --json"))
def show_published(version: int | None = None, /, *, against: int | None = None, reach: Reach = HERE) -> None:
    """Show a published policy: its limits and its rules in words, and what it says otherwise than another one.

    Args:
        version: Which version; the one that routes new requests unless given.
        against: The version it is held against; the one before it unless given.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        newest = api.get("policy")
        number = str(version or newest["version"])
        policy = (
            newest if version is None and against is None else api.get("policy", "versions", number, against=against)
        )
    routes = policy["version"] == newest["version"]
    said = "routes new requests." if routes else f"was published {views.published(policy)}."
    page = pages(heading(f"Policy {policy['reference']} {said}"), *views.policy_page(policy))
    show(policy, page, as_json=reach.as_json, following=f"plixo policy versions{reach.suffix}")


@app.command(help_epilogue=example("plixo policy versions"))
def versions(*, reach: Reach = HERE) -> None:
    """List every published version, newest first."""
    with reached(reach) as api:
        found = api.get("policy", "versions")
    show(found, views.versions_page(found), as_json=reach.as_json, following=f"plixo policy show 1{reach.suffix}")


@app.command(help_epilogue=example("plixo policy check ./policies"))
def check(folder: Path | None = None, /, *, as_json: Json = False) -> None:
    """Check a folder's limits.toml and approvals.jdm.json, trying every reason on them.

    Args:
        folder: The folder; the shipped policy when left out.
        as_json: Print one JSON document.
    """
    place = folder or load_settings().policies
    policy = _loaded(place)
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
        views.rules_table(rules),
    )
    show(document, page, as_json=as_json, following=f"plixo policy simulate {place}")


@app.command(help_epilogue=example("plixo policy drafts"))
def drafts(*, reach: Reach = HERE) -> None:
    """List the newest drafts of policies and exchange rates, published or not."""
    with reached(reach) as api:
        found = api.get("policy", "drafts")
    show(found, views.drafts_page(found), as_json=reach.as_json, following=f"plixo policy draft --help{reach.suffix}")


@app.command(help_epilogue=example("plixo policy draft ./policies --note 'The board allows more'"))
def draft(
    folder: Annotated[Path | None, Parameter(help="A folder with limits.toml and approvals.jdm.json.")] = None,
    /,
    *,
    again: int | None = None,
    note: str = "",
    reach: Reach = HERE,
) -> None:
    """Draft a policy, as an administrator; a Controller or the CFO publishes it.

    Args:
        folder: Where it is.
        again: An earlier version instead, to go back to it.
        note: Why, for whoever publishes it.
        reach: How Plixo is reached.
    """
    if (folder is None) is (again is None):
        raise CommandFailed("Name the folder of the policy, or --again and an earlier version.", USAGE)
    body: dict[str, Any] = {"again": again} if folder is None else _parts(folder)
    with reached(reach) as api:
        made = api.post("policy", "drafts", **body, note=note)
    following = f"plixo policy simulate {made['draft_id']}{reach.suffix}"
    show(made, views.draft_page("Drafted.", made), as_json=reach.as_json, following=following)


@app.command(help_epilogue=example("plixo policy publish PD-ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
def publish(draft: DraftId, /, *, reach: Reach = HERE) -> None:
    """Let a draft of a policy or of rates hold from now on, as a Controller or the CFO who did not draft it.

    Requests that were routed keep their version; `plixo policy simulate` says which would go another way.

    Args:
        draft: Its id.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        made = api.post("policy", "drafts", draft, "publication")
    said = f"Published as version {made['version']}." if made["version"] else "Published."
    show(made, views.draft_page(said, made), as_json=reach.as_json, following=f"plixo policy show{reach.suffix}")


@app.command(help_epilogue=example("plixo policy simulate ./policies --days 30"))
def simulate(what: str, /, *, days: Days = 30, reach: Reach = HERE) -> None:
    """Say which open and recent requests would go another way by a policy; nothing is changed.

    Args:
        what: The folder of a policy, or a draft's id.
        days: How far back requests that have ended are looked at.
        reach: How Plixo is reached.
    """
    body: dict[str, Any] = {"draft": what} if _DRAFT.fullmatch(what) else _parts(Path(what))
    found: dict[str, Any] = {}
    with reached(reach) as api:
        for told in api.follow("policy", "simulations", **body, days=days):
            found = told.get("result") or found
            if "done" in told and sys.stderr.isatty():
                sys.stderr.write(f"\r{told['done']} of {told['total']} requests …\x1b[K")
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    if not found:
        raise CommandFailed("The simulation broke off; run it again.")
    following = f"plixo policy publish {what}{reach.suffix}" if "draft" in body else f"plixo policy draft {what}"
    show(found, views.simulation_page(found), as_json=reach.as_json, following=following)


def _parts(folder: Path) -> dict[str, Any]:
    """What the API takes of a folder's policy, once it can be used."""
    policy = _loaded(folder)
    return {"limits": policy.plain_limits, "table": policy.plain_table}


def _loaded(folder: Path) -> "PublishedPolicy":
    from plixo.policy.published import PolicyInvalid, load_policy  # noqa: PLC0415 - `plixo --help` stays quick

    try:
        return load_policy(folder)
    except PolicyInvalid as invalid:
        raise CommandFailed(f"This policy cannot be used: {invalid}.") from invalid
