"""Commands of who decides."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter

from plixo.domain.approval import State
from plixo.domain.reasons import Reason
from starters.cli import documents, views
from starters.cli.credit import ApprovalId, Typed
from starters.cli.example import example
from starters.cli.failures import USAGE, CommandFailed
from starters.cli.reach import HERE, Reach, reached

if TYPE_CHECKING:
    from collections.abc import Sequence

More = Annotated[str, Parameter(show_default=False)]
Yes = Annotated[bool, Parameter(negative="", show_default=False)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked for instead, as text; None where it stays as it is.

    Attributes:
        amount: How much, in the request's currency.
        reason: Why.
        note: Words for colleagues; an empty text takes them away.
        memo: Words for the customer; an empty text takes them away.
    """

    amount: Annotated[Typed | None, Parameter(help="Gross, in the request's currency.", show_default=False)] = None
    reason: Annotated[str | None, Parameter(help=f"Why: {', '.join(Reason)}.", show_default=False)] = None
    note: Annotated[Typed | None, Parameter(show_default=False)] = None
    memo: Annotated[Typed | None, Parameter(show_default=False)] = None


NOTHING: Final = Wanted()

app = App(
    name="approvals",
    help="Read what waits for a decision, and decide.",
    help_epilogue=example("plixo approvals list"),
)


@app.command(name="list", help_epilogue=example("plixo approvals list --tab overdue"))
def list_waiting(
    *,
    tab: views.Tab = views.Tab.MINE,
    state: State | None = None,
    q: str = "",
    page: views.Page = 1,
    reach: Reach = HERE,
) -> None:
    """List what waits for a decision, what is due first at the top.

    Args:
        tab: Which part of the inbox.
        state: Only those that stand there.
        q: Only those that say this.
        page: Which page, counted from 1.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        found = api.get("approvals", tab=tab, state=state, q=q, sort="due", page=page)
    empty = "Nothing waits here; --tab all lists everything you may see."
    views.show_list(found, "approvals", reach, empty)


@app.command(name="show", help_epilogue=example("plixo approvals show CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
def show_one(approval_id: ApprovalId, /, *, reach: Reach = HERE) -> None:
    """Show a request: what and how much, who is asked and why, and what became of it.

    Args:
        approval_id: Its id.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        found = api.get("approvals", approval_id)
    views.show_one(found, reach)


@app.command(help_epilogue=example("plixo approvals approve CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ --comment 'As agreed'"))
def approve(
    approval_id: ApprovalId,
    /,
    *more: More,
    amount: Typed = "",
    comment: Typed = "",
    yes: Yes = False,
    reach: Reach = HERE,
) -> int:
    """Approve a request that waits for you, or a smaller amount of it; or several, each by itself.

    Args:
        approval_id: Its id.
        more: Those of others. What will be done to them is shown first, and asked for.
        amount: How much of it, in its currency, such as 3000.00; all of it where none is given.
        comment: Words for colleagues.
        yes: With several: go through with it without asking.
        reach: How Plixo is reached.
    """
    if more and amount:
        raise CommandFailed("--amount is for one request; approve the others by themselves.", USAGE)
    if more:
        return _several((approval_id, *more), "approve", comment, reach, yes=yes)
    return _decide(approval_id, reach, verdict="approve", comment=comment, amount=amount)


@app.command(help_epilogue=example("plixo approvals reject CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ --comment 'Asked twice'"))
def reject(approval_id: ApprovalId, /, *more: More, comment: Typed = "", yes: Yes = False, reach: Reach = HERE) -> int:
    """Reject a request that waits for you; or several, each by itself.

    Args:
        approval_id: Its id.
        more: Those of others. What will be done to them is shown first, and asked for.
        comment: Why; the requester reads it.
        yes: With several: go through with it without asking.
        reach: How Plixo is reached.
    """
    if more:
        return _several((approval_id, *more), "reject", comment, reach, yes=yes)
    return _decide(approval_id, reach, verdict="reject", comment=comment)


@app.command(help_epilogue=example("plixo approvals ask CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ --comment 'Which outage?'"))
def ask(approval_id: ApprovalId, /, *, comment: Typed = "", reach: Reach = HERE) -> None:
    """Ask whoever asked for it; the clock stands still until they answer.

    Args:
        approval_id: Its id.
        comment: What you want to know; the requester reads it.
        reach: How Plixo is reached.
    """
    _decide(approval_id, reach, verdict="ask", comment=comment)


@app.command(help_epilogue=example("plixo approvals answer CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ --comment 'The one in May'"))
def answer(approval_id: ApprovalId, /, *, comment: Typed = "", reach: Reach = HERE) -> None:
    """Answer what was asked about a request of yours.

    Args:
        approval_id: Its id.
        comment: The answer; whoever asked reads it.
        reach: How Plixo is reached.
    """
    _decide(approval_id, reach, verdict="answer", comment=comment)


@app.command(
    name="return", help_epilogue=example("plixo approvals return CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ --comment 'Half of it'")
)
def return_it(approval_id: ApprovalId, /, *, comment: Typed = "", reach: Reach = HERE) -> None:
    """Return a request that waits for you, for changes; its requester changes or withdraws it.

    Args:
        approval_id: Its id.
        comment: What should be changed; the requester reads it.
        reach: How Plixo is reached.
    """
    _decide(approval_id, reach, verdict="return", comment=comment)


@app.command(help_epilogue=example("plixo approvals amend CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ --amount 3000.00"))
def amend(
    approval_id: ApprovalId,
    /,
    *,
    wanted: Wanted = NOTHING,
    comment: Typed = "",
    preview: bool = False,
    reach: Reach = HERE,
) -> None:
    """Change a request of yours that nobody has applied yet; what is not given stays as it is.

    A smaller amount keeps what was approved, unless it was returned and needs others by now; anything else is asked
    anew.

    Args:
        approval_id: Its id.
        wanted: What is to be another.
        comment: Words to colleagues about it.
        preview: Say who would have to approve it then, and why; nothing is kept.
        reach: How Plixo is reached.
    """
    typed = {name: value for name, value in asdict(wanted).items() if value is not None}
    with reached(reach) as api:
        if preview:
            seen = api.post("approvals", approval_id, "amendment", "preview", **typed)
            views.show_amendment(seen, approval_id, reach)
        else:
            answer = api.post("approvals", approval_id, "amendment", comment=comment, **typed)
            views.show_answer(answer, "credit", reach)


@app.command(help_epilogue=example("plixo approvals delegate CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ --to finance@plixo.example"))
def delegate(approval_id: ApprovalId, /, *, to: str, comment: Typed = "", reach: Reach = HERE) -> None:
    """Hand your part of a request to a colleague, who may decide in your place; so may you, until they have.

    Args:
        approval_id: Its id.
        to: The colleague, by id or address.
        comment: Words for colleagues.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        answer = api.post("approvals", approval_id, "delegation", to=to, comment=comment)
    views.show_answer(answer, "approvals", reach)


@app.command(
    help_epilogue=example(
        "plixo approvals reassign CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ --to cfo@plixo.example --comment 'The Controller left'"
    )
)
def reassign(approval_id: ApprovalId, /, *, to: str, group: str = "", comment: Typed = "", reach: Reach = HERE) -> None:
    """Give a group's part to somebody, as an administrator, where those who are asked cannot decide.

    Args:
        approval_id: Its id.
        to: Who is given it, by id or address.
        group: Whose part, such as controller; may be left out where one group alone is waited for.
        comment: Why those who are asked cannot.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        answer = api.post("approvals", approval_id, "reassignment", to=to, group=group, comment=comment)
    views.show_answer(answer, "approvals", reach)


def _decide(approval_id: str, reach: Reach, **said: str) -> int:
    with reached(reach) as api:
        answer = api.post("approvals", approval_id, "decisions", **said)
    views.show_answer(answer, "approvals", reach)
    return 0


def _several(ids: "Sequence[str]", verdict: str, comment: str, reach: Reach, *, yes: bool) -> int:
    from plixo.domain.decision import Verdict  # noqa: PLC0415 - `plixo --help` stays quick
    from starters.cli.approvals_several import decide_several  # noqa: PLC0415 - the same

    return decide_several(ids, Verdict(verdict), comment, reach, yes=yes)


_ONE = "CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
app.command(documents.documents, help_epilogue=example(f"plixo approvals documents {_ONE}"))
app.command(documents.attach, help_epilogue=example(f"plixo approvals attach {_ONE} contract.pdf"))
app.command(
    documents.fetch,
    help_epilogue=example(f"plixo approvals fetch {_ONE} DO-ABCDEFGHIJKLMNOPQRSTUVWXYZ --output contract.pdf"),
)
