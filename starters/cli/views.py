"""What commands about requests show: the API's answer in the house's words."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

from cyclopts import Parameter, validators
from rich.console import RenderableType

from plixo.domain.money import Money
from plixo.domain.people import Group
from starters.cli.output import due, facts, heading, line, pages, show, table, when
from starters.cli.reach import Reach

Answer = Mapping[str, Any]
Page = Annotated[int, Parameter(validator=validators.Number(gte=1))]


class Tab(StrEnum):
    """A part of the inbox."""

    MINE = "mine"
    GROUPS = "groups"
    OVERDUE = "overdue"
    DONE = "done"
    ALL = "all"


def show_list(found: Answer, room: str, reach: Reach, empty: str) -> None:
    """Print a page of requests.

    Args:
        found: The API's answer.
        room: `credit` or `approvals`: whose `show` is suggested.
        reach: How it was asked.
        empty: What to say when there are none.
    """
    approvals: Sequence[Answer] = found["approvals"]
    parts = [table(["Request!", ">Amount!", "Customer", "State"], [_row(one) for one in approvals], empty=empty)]
    if found["page"] < found["pages"]:
        parts.append(line(f"Page {found['page']} of {found['pages']}; --page {found['page'] + 1} shows more."))
    following = f"plixo {room} show {approvals[0]['approval_id']}{reach.suffix}" if approvals else ""
    show(found, pages(*parts), as_json=reach.as_json, following=following)


def show_one(found: Answer, reach: Reach) -> None:
    """Print one request, whole."""
    said = [(one["person"]["name"], one["verdict"], one["comment"]) for one in found["decisions"]]
    steps = [(when(step["at"]), step["text"]) for step in found["timeline"]]
    parts = [
        heading(f"{_sentence(found)}: {found['state_text']}"),
        facts(
            [
                *_about(found),
                ("Asked for by", f"{found['requester']['name']}, {when(found['created_at'])}"),
                ("Note", found["note"]),
                ("Your part", "It waits for you." if found["may_decide"] else found["why_not"]),
                ("Page", found["page"]),
            ],
        ),
    ]
    parts += [line(""), table(["Who", "Said", "Comment"], said, empty="")] if said else []
    parts += [line(""), table(["When!", "What happened"], steps, empty="Nothing has happened yet.")]
    show(found, pages(*parts), as_json=reach.as_json, following=_after_reading(found, reach))


def show_asked(asked: Answer, reach: Reach) -> None:
    """Print what became of asking."""
    told = [heading(f"{_sentence(asked)}: {asked['state_text']}"), facts(_about(asked))]
    if not asked["created"]:
        told.append(line("It was there already under this request id: nothing was asked twice."))
    if asked["changed"]:
        told.append(line(f"Not what was previewed. {asked['changed']}"))
    if not asked["started"]:
        told.append(line("It is kept, and starts by itself as soon as Temporal can be reached."))
    following = f"plixo credit show {asked['approval_id']}{reach.suffix}"
    show(asked, pages(*told), as_json=reach.as_json, following=following)


def show_preview(seen: Answer, reach: Reach, following: str) -> None:
    """Print what asking would mean."""
    target = {**seen, "customer_name": seen["customer"]["name"]}
    told = [
        heading(f"{_sentence(target)}: {'happens at once' if seen['automatic'] else 'needs approval'}"),
        facts([("Net, tax, gross", _amounts(seen)), ("Path", _path(seen)), ("Why", _why(seen))]),
    ]
    stages = [(stage["text"], _names(stage["deciders"]), f"{stage['due_hours']} h") for stage in seen["stages"]]
    told += [line(""), table(["Who decides", "People", "Due within!"], stages, empty="")] if stages else []
    told += [line(remark) for remark in seen["remarks"]]
    told += [line(f"Nobody of {Group(group).label} could decide on it: it would wait.") for group in seen["nobody"]]
    told += [line(f"{seat} must agree, and too few could: it would wait.") for seat in seen["too_few"]]
    if seen["duplicates"]:
        told += [line("\nThe same was asked for in the last 30 days:"), *_twins(seen["duplicates"])]
    show(seen, pages(*told), as_json=reach.as_json, following=following)


def show_amendment(seen: Answer, approval_id: str, reach: Reach) -> None:
    """Print what amending would mean."""
    kept = "What was decided before is kept." if seen["keeps"] else "What was decided before counts no longer."
    told = [heading("; ".join(seen["changes"]) or "as it was"), line(kept)]
    told += [facts([("Path", ", then ".join(seen["path"])), ("Why", " ".join([seen["why"], *seen["notes"]]))])]
    told += [line(f"Nobody of {group} could decide on it: it would wait.") for group in seen["nobody"]]
    show(seen, pages(*told), as_json=reach.as_json, following=f"plixo approvals show {approval_id}{reach.suffix}")


def show_answer(answer: Answer, room: str, reach: Reach) -> None:
    """Print what became of a decision."""
    approval, why = answer["approval"], answer["why"]
    words = {"accepted": "recorded", "already_received": "recorded already", "kept": "kept"}[answer["answer"]]
    told = [heading(f"Your decision is {words}."), line(f"{_sentence(approval)}: {approval['state_text']}")]
    told += [line(why)] if why else []
    following = f"plixo {room} show {approval['approval_id']}{reach.suffix}"
    show(answer, pages(*told), as_json=reach.as_json, following=following)


def money(minor: int, currency: str) -> str:
    """An amount as people read it, such as `4,200.00 USD`."""
    return str(Money(minor, currency))


def _row(one: Answer) -> tuple[str, ...]:
    state = "\n".join(part for part in (one["state_text"], due(one["due_at"])) if part)
    return one["approval_id"], money(one["amount_minor"], one["currency"]), one["customer_name"], state


def _about(one: Answer) -> list[tuple[str, str]]:
    due_at = one["due_at"]
    return [
        ("Request", one["approval_id"]),
        ("Request id", one["request_id"]),
        ("Reason", one["reason_text"]),
        ("Memo", one["memo"]),
        ("Net, tax, gross", _amounts(one)),
        ("Agreed so far", _agreed(one)),
        ("For the limits", _counted(one)),
        ("Path", _path(one)),
        ("Why", _why(one)),
        ("Due", f"{when(due_at)}, {due(due_at)}" if due_at else ""),
        ("In Stripe", one["stripe_object"]),
        ("What to know", one["explanation"]),
    ]


def _sentence(one: Answer) -> str:
    target = one["target"]
    place = (
        f"on invoice {target['number'] or target['target_id']}" if target["kind"] == "invoice" else "to their balance"
    )
    return f"Credit {one['customer_name']} {money(one['amount_minor'], one['currency'])} {place}"


def _amounts(one: Answer) -> str:
    amounts = one["amounts"]
    return " · ".join(money(amounts[f"{part}_minor"], amounts["currency"]) for part in ("net", "tax", "gross"))


def _agreed(one: Answer) -> str:
    less = one["agreed_minor"] < one["amount_minor"]
    return money(one["agreed_minor"], one["currency"]) if less else ""


def _counted(one: Answer) -> str:
    """What an amount in another currency counts as, and at which rate."""
    if one["base_currency"] == one["currency"]:
        return ""
    at = f"at {one['rate']} of {when(one['rate_as_of'])}" if one["rate"] else "without an exchange rate"
    return f"{money(one['base_minor'], one['base_currency'])} {at}"


def _path(one: Answer) -> str:
    return ", then ".join(one["path"])


def _why(one: Answer) -> str:
    return " ".join([one["why"], *one["notes"]])


def _names(people: Sequence[Answer]) -> str:
    return ", ".join(person["name"] for person in people) or "nobody"


def _twins(duplicates: Sequence[Answer]) -> list[RenderableType]:
    return [table(["Request!", ">Amount!", "Customer", "State"], [_row(one) for one in duplicates], empty="")]


def _after_reading(found: Answer, reach: Reach) -> str:
    """Deciding, where it waits for the reader; in dev, where roles are tried on, for whoever it waits for."""
    waits = found["waits_for"]
    if found["may_decide"]:
        return f"plixo approvals approve {found['approval_id']}{reach.suffix}"
    if reach.role and waits:
        return f"plixo approvals approve {found['approval_id']} --as {waits[0]}"
    return f"plixo audit export {found['approval_id']}" if not waits else f"plixo approvals list{reach.suffix}"
