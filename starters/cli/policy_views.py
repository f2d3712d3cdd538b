"""What the commands on the policy print for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType

from plixo.domain.money import Money
from plixo.policy.words import clocks_in_words, limits_in_words, paths_in_words
from starters.cli.output import facts, heading, line, pages, table, when

Answer = Mapping[str, Any]


def policy_page(policy: Answer) -> Iterator[RenderableType]:
    """A policy's limits and rules, and what differs from another one."""
    limits = policy["limits"]
    lines = [*limits_in_words(limits), *paths_in_words(limits), *clocks_in_words(limits)]
    yield facts([("Base currency", policy["base_currency"]), *((one.label, one.value) for one in lines)])
    yield line("")
    yield rules_table(policy["rules"])
    if policy.get("against"):
        yield heading(f"\nOtherwise than version {policy['against']}")
        yield differences_table(policy["differences"])


def rules_table(rules: Sequence[Answer]) -> RenderableType:
    """The decision table's rows, in words; their conditions are for `--json`."""
    rows = [(str(rule["rule"]), str(rule["words"])) for rule in rules]
    return table(["Rule!", "Says"], rows, empty="It has no rules.")


def differences_table(differences: Sequence[Answer]) -> RenderableType:
    """What differs between two policies."""
    rows = [(one["what"], one["before"] or "nothing", one["after"] or "nothing") for one in differences]
    return table(["What", "Before", "After"], rows, empty="Nothing differs.")


def versions_page(found: Answer) -> RenderableType:
    """Every version."""
    rows = [(str(one["version"]), published(one), one["hash"][:12]) for one in found["versions"]]
    return table(["Version!", "Published", "Hash!"], rows, empty="None is published.")


def published(version: Answer) -> str:
    """When a version was published, and by whom."""
    by = version["published_by"]
    return f"{when(version['published_at'])} {'by ' + by['name'] if by else 'with a release'}"


def drafts_page(found: Answer) -> RenderableType:
    """The newest drafts."""
    rows = [
        (
            one["draft_id"],
            f"{one['kind'].capitalize()}, {one['author']['name']}, {when(one['created_at'])}",
            _stands(one),
        )
        for one in found["drafts"]
    ]
    return table(["Draft!", "What", "State"], rows, empty="Nothing is drafted; `plixo policy draft --help` says how.")


def draft_page(said: str, made: Answer) -> RenderableType:
    """A draft with what it would change."""
    parts: list[RenderableType] = [
        heading(said),
        facts(
            [
                ("Draft", made["draft_id"]),
                ("Author", made["author"]["name"]),
                ("Note", made["note"]),
                ("State", _stands(made)),
                ("Hash", made["hash"]),
            ]
        ),
        line(""),
    ]
    if made["kind"] == "rates":
        return pages(*parts, rates_table(made["rates"]))
    return pages(*parts, differences_table(made["differences"]))


def rates_table(rates: Sequence[Answer]) -> RenderableType:
    """Exchange rates."""
    rows = [
        (one["currency"], one["rate"], when(one["as_of"]), "too old: never automatic" if one.get("stale") else "")
        for one in rates
    ]
    empty = "There is none: a credit in another currency is decided by Controller and Legal together."
    return table(["Currency!", ">Rate!", "As of!", ""], rows, empty=empty)


def simulation_page(found: Answer) -> RenderableType:
    """What a policy would change."""
    changed = found["changed"]
    told = f"{len(changed)} of {found['looked']} requests would go another way, {found['open_changed']} of them open."
    texts = {one["kind"]: one["kind_text"] for one in changed}
    parts: list[RenderableType] = [heading(told), facts([(texts[kind], str(n)) for kind, n in found["counts"].items()])]
    if changed:
        parts += [line(""), table(["Request!", "Before, after, rule"], [_changed(one) for one in changed], empty="")]
    if not all(one["certain"] for one in changed):
        parts.append(line("* Its own policy would route it otherwise today, too: people or rates have changed."))
    return pages(*parts)


def _changed(one: Answer) -> tuple[str, str]:
    before, after = ", then ".join(one["before"]), ", then ".join(one["after"]) or "refused"
    amount = Money(one["amount_minor"], one["currency"])
    star = "" if one["certain"] else " *"
    words = f"{one['customer_name']}, {amount}{star}\n{before} → {after}"
    return one["approval_id"], f"{words} ({one['kind_text'].lower()}; {one['rule'] or 'no rule'})"


def _stands(one: Answer) -> str:
    if one["published_by"]:
        became = f" as version {one['version']}" if one["version"] else ""
        return f"Published{became} by {one['published_by']['name']}"
    return "Outdated: draft it anew" if one["outdated"] else "Waits to be published"
