"""Deciding on several requests with one command: shown first, then each decided as it was shown."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.console import RenderableType

from plixo.domain.decision import Verdict
from plixo.domain.duties import check_comment
from plixo.domain.money import Money
from plixo.domain.refusals import Refused
from plixo.domain.several import chosen
from starters.cli.failures import REFUSED, USAGE, CommandFailed, Unanswered, one_line
from starters.cli.output import heading, line, pages, paper, show, table
from starters.cli.reach import Reach, reached

if TYPE_CHECKING:
    from starters.cli.api import Api

Answer = Mapping[str, Any]

A_CALL: Final = 10
"""How many go in one call, so that it is answered in time even while Temporal is away."""

_THROUGH: Final = {"accepted": "Recorded", "already_received": "Recorded already", "kept": "Signed and kept"}
_AGAIN: Final = "Run it again to see: nothing is decided twice."


def decide_several(ids: Sequence[str], verdict: Verdict, comment: str, reach: Reach, *, yes: bool) -> int:
    """Say the same about several requests.

    Args:
        ids: Which.
        verdict: Approve or reject.
        comment: Words for colleagues, on each of them.
        reach: How Plixo is reached.
        yes: Go through with it without asking.

    Returns:
        0 when every one of them was decided, 1 when one was not.

    Raises:
        CommandFailed: Nothing was decided, or what was typed cannot be.
    """
    wanted = _typed(ids, verdict, comment)
    with reached(reach) as api:
        seen: Answer = api.post("decisions", "check", verdict=verdict.value, approval_ids=list(wanted))
        if not yes:
            _show_check(seen, reach)
            if reach.as_json or not seen["decidable"] or not _agreed(seen):
                return REFUSED
        elif not reach.as_json:
            _show_check(seen, reach)
        outcomes = list(_decided(api, seen, comment))
    told = {"verdict": verdict.value, "outcomes": outcomes, "left_out": seen["left_out"]}
    well = not seen["left_out"] and all(one["answer"] in _THROUGH for one in outcomes)
    _show_told({**told, "all_decided": well}, reach)
    return 0 if well else REFUSED


def _typed(ids: Sequence[str], verdict: Verdict, comment: str) -> Sequence[str]:
    try:
        check_comment(verdict, comment)
        return chosen(ids)
    except Refused as refusal:
        field = "--comment: " if refusal.problems[0].field == "comment" else ""
        raise CommandFailed(f"{field}{refusal}", USAGE) from refusal


def _agreed(seen: Answer) -> bool:
    """Whether the person at the terminal types that they want it; where nobody is, they do not."""
    count = len(seen["decidable"])
    verb = seen["verdict"].capitalize()
    if not sys.stdin.isatty():
        paper().print(line("\nNothing is decided yet; add --yes to go through with it."))
        return False
    paper().print(line(f"\n{verb} {_how_many(count)}? Type yes:"), end=" ")
    typed = sys.stdin.readline().strip().lower()
    if typed != "yes":
        paper().print(line("Nothing is decided."))
    return typed == "yes"


def _decided(api: "Api", seen: Answer, comment: str) -> Iterator[Answer]:
    """What became of each; where no answer comes, that is said of those it was about, and no more are sent."""
    rows = [one["shown"] for one in seen["decidable"]]
    for start in range(0, len(rows), A_CALL):
        part = rows[start : start + A_CALL]
        try:
            yield from api.post("decisions", verdict=seen["verdict"], comment=comment, rows=part)["outcomes"]
        except CommandFailed as failed:
            if start == 0 and not isinstance(failed, Unanswered):
                raise
            yield from _unknown(part, f"{one_line(str(failed))} {_AGAIN}")
            yield from _unknown(rows[start + A_CALL :], "It was not sent. Run it again to decide on it.")
            return


def _unknown(rows: Sequence[Answer], why: str) -> Iterator[Answer]:
    for row in rows:
        name = row["approval_id"]
        yield {"approval_id": name, "answer": "unanswered", "code": "unanswered", "why": why, "approval": None}


def _show_check(seen: Answer, reach: Reach) -> None:
    verb, rows = seen["verdict"].capitalize(), seen["decidable"]
    sums = ", ".join(str(Money(one["amount_minor"], one["currency"])) for one in seen["sums"])
    title = f"{verb} {_how_many(len(rows))}: {sums}" if rows else f"None of these can be {_done(seen)} by you now"
    shown = [(*_named(one["approval"], one["shown"]["amount_minor"]), one["then"]) for one in rows]
    parts = [heading(title)]
    parts += [table(["Request!", ">Amount!", "Customer", "What follows"], shown, empty="")] if shown else []
    show(seen, pages(*parts, *_left_out(seen)), as_json=reach.as_json)


def _left_out(told: Answer) -> list[RenderableType]:
    left = told["left_out"]
    rows = [(one["approval_id"], one["why"]) for one in left]
    title = heading(f"\nLeft out: {_how_many(len(left))}")
    return [title, table(["Request!", "Why"], rows, empty="")] if rows else []


def _show_told(told: Answer, reach: Reach) -> None:
    outcomes = told["outcomes"]
    through = sum(one["answer"] in _THROUGH for one in outcomes)
    of = "" if told["all_decided"] else f" of {len(outcomes) + len(told['left_out'])}"
    rows = [(one["approval_id"], _became(one)) for one in outcomes]
    parts = [heading(f"\nYou {_done(told)} {_how_many(through) if not of else f'{through}{of} requests'}.")]
    parts += [table(["Request!", "What became of it"], rows, empty="")] if rows else []
    show(told, pages(*parts), as_json=reach.as_json, following=f"plixo approvals list{reach.suffix}")


def _became(one: Answer) -> str:
    if one["answer"] not in _THROUGH:
        return f"Not decided: {one['why']}" if one["answer"] != "unanswered" else one["why"]
    return f"{_THROUGH[one['answer']]}: {one['approval']['state_text']}"


def _named(approval: Answer, amount_minor: int) -> tuple[str, str, str]:
    return approval["approval_id"], str(Money(amount_minor, approval["currency"])), approval["customer_name"]


def _how_many(count: int) -> str:
    return "1 request" if count == 1 else f"{count} requests"


def _done(seen: Answer) -> str:
    return "approved" if seen["verdict"] == Verdict.APPROVE else "rejected"
