import resource
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest
from cyclopts import App

from starters.cli.app import build

HEAVY = ("temporalio", "sqlalchemy", "stripe", "fastapi", "alembic", "httpx", "zen", "joserfc", "pydantic", "uvicorn")
HIDDEN = {"--help", "-h", "--version"}


def commands(app: App, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    yield place, app
    for name in app:
        if name not in HIDDEN:
            yield from commands(app[name], (*place, name))


ALL = dict(commands(build()))
LEAVES = {place: app for place, app in ALL.items() if app.default_command}

PROMISED = """
    db roles; backup; restore; temporal resume; worker promote;
    up; demo; credit request; credit preview; credit show; credit list; credit withdraw; credit import;
    approvals list; approvals delegate; approvals reassign; credit nudge; away; back;
    approvals ask; approvals answer; approvals return; approvals amend;
    approvals show; approvals approve; approvals reject;
    approvals documents; approvals attach; approvals fetch; policy show; policy check;
    policy versions; policy drafts; policy draft; policy publish; policy simulate; policy rates show; policy rates set;
    people list; people check;
    customers list; invoices list; login; status; audit verify; audit export; audit checkpoint; stripe reconcile;
    finance sheet; db upgrade; temporal setup; keys list; keys rotate; worker; web; standin
"""


def test_every_command_that_was_promised_is_there_and_no_other() -> None:
    promised = {tuple(words.split()) for words in PROMISED.split(";")}
    assert set(LEAVES) == promised


def help_of(*words: str) -> subprocess.CompletedProcess[str]:
    script = (
        "import sys; from starters.cli.main import run; code = run(sys.argv[1:]);"
        f"print('loaded', *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", script, *words, "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_help_loads_nothing_heavy() -> None:
    ran = help_of()
    assert (ran.returncode, ran.stderr.strip()) == (0, "loaded")


def test_the_help_takes_under_half_a_second() -> None:
    """Its processor time, which is what it takes on a machine with nothing else to do; the best of three."""
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "starters.cli", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(taken) < 0.5


@pytest.mark.parametrize("place", LEAVES, ids=" ".join)
def test_a_commands_help_is_as_light(place: tuple[str, ...]) -> None:
    ran = help_of(*place)
    assert ran.returncode == 0
    assert not {"temporalio", "sqlalchemy", "stripe", "fastapi", "httpx"} & set(ran.stderr.split())


@pytest.mark.parametrize("place", ALL, ids=lambda place: " ".join(place) or "plixo")
def test_every_command_has_an_example_that_names_a_command(place: tuple[str, ...]) -> None:
    epilogue = ALL[place].help_epilogue or ""
    assert epilogue.startswith("Example:\n")
    words = shlex.split(epilogue.removeprefix("Example:\n").replace("\\\n", " "))
    words = words[words.index("plixo") + 1 :]
    named = max((len(known) for known in LEAVES if tuple(words[: len(known)]) == known), default=0)
    assert named
    assert tuple(words[:named])[: len(place)] == place


@pytest.mark.parametrize("place", LEAVES, ids=" ".join)
def test_every_example_can_be_typed(place: tuple[str, ...]) -> None:
    """Parsed, not run."""
    epilogue = (LEAVES[place].help_epilogue or "").removeprefix("Example:\n").replace("\\\n", " ")
    words = shlex.split(epilogue.partition(">")[0])
    command, _bound, _ignored = build().parse_args(
        words[words.index("plixo") + 1 :], exit_on_error=False, print_error=False
    )
    assert command is LEAVES[place].default_command or command.__name__ == LEAVES[place].default_command.__name__


@pytest.mark.parametrize("place", LEAVES, ids=" ".join)
def test_the_help_fits_eighty_columns(place: tuple[str, ...]) -> None:
    assert max(len(line.rstrip()) for line in help_of(*place).stdout.splitlines()) <= 80


SERVERS = {("worker",), ("web",), ("standin",)}


@pytest.mark.parametrize("place", sorted(set(LEAVES) - SERVERS), ids=" ".join)
def test_every_command_that_prints_takes_json(place: tuple[str, ...]) -> None:
    names = {name for argument in LEAVES[place].assemble_argument_collection() for name in argument.names}
    assert "--json" in names
