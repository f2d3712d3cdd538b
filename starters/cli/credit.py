"""Commands of who asks for a credit."""

import secrets
import sys
from dataclasses import asdict, dataclass
from shlex import quote
from typing import Annotated, Final

from cyclopts import App, Parameter

from plixo.domain.approval import State
from plixo.domain.reasons import Reason
from starters.cli import views
from starters.cli.example import example
from starters.cli.failures import CommandFailed, Unanswered
from starters.cli.reach import HERE, Reach, reached

app = App(
    name="credit",
    help="Ask for a credit, see what became of it, take it back.",
    help_epilogue=example("plixo credit list"),
)

app.command("starters.cli.credit_import:app", name="import", help="Ask for a credit for each row of a file.")

_MOST: Final = 1 << 21
"""How much of a note is read from standard input: more than any note may have, so that it is refused in words."""

Typed = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""A text that may begin with a hyphen, so that what is wrong with it is said in the field's own words."""
ApprovalId = Annotated[str, Parameter(help="The request's id, such as CR-….")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Form:
    """What is asked for, as text.

    Attributes:
        customer: Who gets it.
        amount: How much.
        currency: In what.
        reason: Why.
        invoice: Stripe's id of the invoice it comes off, such as in_…; the customer's balance unless given.
        note: Words for colleagues; - reads them from standard input.
        memo: Words for the customer: Stripe prints them on the credit note.
        request_id: Your own id; asked again with it, it stays one request. One is made up unless given.
    """

    customer: Annotated[str, Parameter(help="Who gets it, by Stripe's id: cus_….")]
    amount: Annotated[Typed, Parameter(help="Gross, in the currency's major unit, such as 4200.00.")]
    currency: Annotated[str, Parameter(help="Three letters, such as USD.")]
    reason: Annotated[str, Parameter(help=f"Why: {', '.join(Reason)}.")]
    invoice: Annotated[str, Parameter(show_default=False)] = ""
    note: Annotated[Typed, Parameter(show_default=False)] = ""
    memo: Annotated[Typed, Parameter(show_default=False)] = ""
    request_id: Annotated[str, Parameter(show_default=False)] = ""

    def fields(self) -> dict[str, str]:
        """As the API takes them, with a request id and with the note read."""
        note = sys.stdin.read(_MOST) if self.note == "-" else self.note
        return {**asdict(self), "note": note, "request_id": self.request_id or f"cli-{secrets.token_hex(8)}"}

    def command(self) -> str:
        """The command that asks for it."""
        options = (f"--{name.replace('_', '-')}={quote(value)}" for name, value in asdict(self).items() if value)
        return " ".join(("plixo credit request", *options))


@app.command(
    help_epilogue=example(
        "plixo credit request --customer cus_ExampleLogistics --invoice in_ExampleLogistics0042 --amount 4200.00 "
        "--currency USD --reason service_outage --note 'Two days down' --request-id OUTAGE-7",
    ),
)
def request(form: Form, *, previewed: Annotated[str, Parameter(show_default=False)] = "", reach: Reach = HERE) -> None:
    """Ask for a credit. Within your own authority it just happens; above it, whoever must decide is asked.

    Args:
        form: What is asked for.
        previewed: What `credit preview --json` gave: the answer then says where the path differs.
        reach: How Plixo is reached.
    """
    typed = {**form.fields(), **({"previewed": previewed} if previewed else {})}
    with reached(reach) as api:
        try:
            asked = api.post("credits", **typed)
        except Unanswered as lost:
            raise CommandFailed(
                f"{lost} Ask again with --request-id {typed['request_id']}: it stays one request."
            ) from lost
    views.show_asked(asked, reach)


@app.command(
    help_epilogue=example(
        "plixo credit preview --customer cus_ExampleLogistics --amount 4200.00 --currency USD --reason goodwill",
    ),
)
def preview(form: Form, *, reach: Reach = HERE) -> None:
    """Say who would have to approve a credit, why, and what Stripe would be sent; nothing is kept."""
    with reached(reach) as api:
        seen = api.post("credits", "preview", **form.fields())
    views.show_preview(seen, reach, f"{form.command()}{reach.suffix}")


@app.command(name="show", help_epilogue=example("plixo credit show CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
def show_one(approval_id: ApprovalId, /, *, reach: Reach = HERE) -> None:
    """Show what became of a request.

    Args:
        approval_id: Its id.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        found = api.get("approvals", approval_id)
    views.show_one(found, reach)


@app.command(name="list", help_epilogue=example("plixo credit list --state waiting"))
def list_all(
    *,
    state: State | None = None,
    customer: str = "",
    q: str = "",
    page: views.Page = 1,
    reach: Reach = HERE,
) -> None:
    """List the credits you may see, newest first.

    Args:
        state: Only those in this state.
        customer: Only this customer's, by Stripe's id.
        q: Only those that say this: part of a name, a number or an id.
        page: Which page, counted from 1.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        found = api.get("approvals", tab="all", state=state, customer=customer, q=q, page=page)
    views.show_list(found, "credit", reach, "There is none like that; `plixo credit request --help` says how to ask.")


@app.command(help_epilogue=example("plixo credit withdraw CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ --comment 'Asked twice'"))
def withdraw(approval_id: ApprovalId, /, *, comment: Typed = "", reach: Reach = HERE) -> None:
    """Take back a request of yours that still waits.

    Args:
        approval_id: Its id.
        comment: Why, for colleagues.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        answer = api.post("approvals", approval_id, "withdrawal", comment=comment)
    views.show_answer(answer, "credit", reach)


@app.command(help_epilogue=example("plixo credit nudge CR-ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
def nudge(approval_id: ApprovalId, /, *, comment: Typed = "", reach: Reach = HERE) -> None:
    """Write to whoever still has to decide on a request of yours, once a business day.

    Args:
        approval_id: Its id.
        comment: Words for colleagues.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        answer = api.post("approvals", approval_id, "nudge", comment=comment)
    views.show_answer(answer, "credit", reach)
