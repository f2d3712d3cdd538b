"""Commands of who decides."""

from cyclopts import App

from plixo.domain.approval import State
from starters.cli import views
from starters.cli.credit import ApprovalId, Typed
from starters.cli.example import example
from starters.cli.reach import HERE, Reach, reached

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
def approve(approval_id: ApprovalId, /, *, amount: Typed = "", comment: Typed = "", reach: Reach = HERE) -> None:
    """Approve a request that waits for you, or a smaller amount of it.

    Args:
        approval_id: Its id.
        amount: How much of it, in its currency, such as 3000.00; all of it where none is given.
        comment: Words for colleagues.
        reach: How Plixo is reached.
    """
    _decide(approval_id, reach, verdict="approve", comment=comment, amount=amount)


@app.command(help_epilogue=example("plixo approvals reject CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ --comment 'Asked twice'"))
def reject(approval_id: ApprovalId, /, *, comment: Typed = "", reach: Reach = HERE) -> None:
    """Reject a request that waits for you.

    Args:
        approval_id: Its id.
        comment: Why; the requester reads it.
        reach: How Plixo is reached.
    """
    _decide(approval_id, reach, verdict="reject", comment=comment)


def _decide(approval_id: str, reach: Reach, **said: str) -> None:
    with reached(reach) as api:
        answer = api.post("approvals", approval_id, "decisions", **said)
    views.show_answer(answer, "approvals", reach)
