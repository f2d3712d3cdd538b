"""The tree of commands. Each room is loaded when one of its commands runs, so that `plixo --help` is quick."""

from cyclopts import App, Group

from starters.cli.example import example

PEOPLE = Group("For people (through the API, with a sign-in)", sort_key=1)
MACHINES = Group("For machines (directly on this one)", sort_key=2)

_GROUPS = (
    ("credit", "Ask for a credit, see what became of it, take it back.", PEOPLE),
    ("approvals", "Read what waits for a decision, and decide.", PEOPLE),
    ("customers", "Customers as Stripe has them.", PEOPLE),
    ("invoices", "Invoices as Stripe has them.", PEOPLE),
    ("finance", "What was applied, tied to Stripe.", PEOPLE),
    ("policy", "Who must approve what: read it, draft it, try it, publish it.", PEOPLE),
    ("people", "Who works here, and whether a file of people can be used.", PEOPLE),
    ("db", "The database.", MACHINES),
    ("temporal", "The Temporal cluster.", MACHINES),
    ("keys", "The keys that Temporal's payloads are encrypted with.", MACHINES),
    ("stripe", "Stripe, held against what was approved.", MACHINES),
    ("audit", "The audit log: prove it whole, take it with you.", MACHINES),
)
_COMMANDS = (
    ("session:login", "Sign this machine in.", PEOPLE),
    ("away:away", "Say that you are away, and who decides in your place.", PEOPLE),
    ("away:back", "Say that you are back.", PEOPLE),
    ("session:status", "Who is signed in, and whether Plixo is well.", PEOPLE),
    ("machines:up", "Start everything on this machine and leave it running.", MACHINES),
    ("machines:demo", "Play the whole story on this machine and check it.", MACHINES),
    ("worker:worker", "Run the worker: workflows, activities and the outbox.", MACHINES),
    ("machines:web", "Serve the console and the API.", MACHINES),
    ("backup:backup", "Write the database and every key into one file.", MACHINES),
    ("backup:restore", "Put a backup back into an empty place.", MACHINES),
    ("machines:standin", "Serve the local stand-in for Stripe.", MACHINES),
)


def build() -> App:
    """The commands, not yet loaded."""
    app = App(
        name="plixo",
        help="Approvals and billing operations on Stripe, as durable Temporal processes.",
        help_epilogue=example("plixo credit request --help"),
        help_format="plaintext",
        version=_version,
    )
    for name, words, group in _GROUPS:
        app.command(f"starters.cli.{name}:app", name=name, help=words, group=group)
    for place, words, group in _COMMANDS:
        room, _, name = place.partition(":")
        app.command(f"starters.cli.{room}:app_{name}", name=name, help=words, group=group)
    return app


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - asked for rarely

    return version("plixo")
