"""Deciding on several requests in one go: each is signed, checked and answered by itself."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from plixo.domain.duties import check_comment
from plixo.domain.refusals import Conflict, Refused
from plixo.domain.several import Shown, chosen
from plixo.domain.texts import MAX_NOTE, parse_text
from plixo.ports import Record
from starters.decisions import Saying, decide
from starters.desk import Desk

AT_ONCE: Final = 5
"""How many are under way at a time: while Temporal is away each takes seconds, and somebody waits for all of them."""

BROKE: Final = "Something went wrong with this one; open it to see whether your decision is there."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of one of the decisions.

    Attributes:
        approval_id: Which request.
        answer: `accepted`, `already_received` or `kept` as for a single decision; `conflict` where the request has
            changed or somebody was quicker, `refused` where this person may not, `failed` where something broke.
        code: A stable word for programs, where it did not go through.
        why: What stands, in words.
        record: The request as it stands now; None where it did not go through.
    """

    approval_id: str
    answer: str
    code: str = ""
    why: str = ""
    record: Record | None = None

    @property
    def through(self) -> bool:
        """Whether the decision is signed and stands."""
        return self.answer in {"accepted", "already_received", "kept"}


async def decide_several(desk: Desk, saying: Saying, rows: Sequence[Shown]) -> Sequence[Outcome]:
    """Say the same about several requests.

    Args:
        desk: The staff side.
        saying: Who says what about each of them.
        rows: The requests, as they were shown; one that has changed since is refused.

    Returns:
        What became of each, in the order of `rows`. Whatever happens to one of them happens to it alone.

    Raises:
        Refused: There are none or too many, or the comment cannot be kept.
        NotAllowed: It is a rejection, and does not say why.
    """
    shown = tuple(dict.fromkeys(rows))
    if len(chosen([one.approval_id for one in shown])) < len(shown):
        raise Refused.one("row", "row_twice", "A request is there twice, and not the same; tick the requests again.")
    check_comment(saying.verdict, parse_text(saying.comment, "comment", MAX_NOTE))
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(row: Shown) -> Outcome:
        async with turns:
            return await _one(desk, replace(saying, shown=row), row.approval_id)

    return await asyncio.gather(*map(one, shown))


async def _one(desk: Desk, saying: Saying, approval_id: str) -> Outcome:
    try:
        answer = await decide(desk, approval_id, saying)
    except Refused as refusal:
        kind = "conflict" if isinstance(refusal, Conflict) else "refused"
        return Outcome(approval_id, kind, refusal.code, str(refusal))
    except Exception:  # whatever broke, the others are not to be left undecided for it
        log.exception("deciding on %s broke", approval_id)
        return Outcome(approval_id, "failed", "failed", BROKE)
    stands = answer.answer not in {"conflict", "refused"}
    code = "" if stands else f"decision_{answer.answer}"
    return Outcome(approval_id, answer.answer, code, answer.why, answer.record if stands else None)
