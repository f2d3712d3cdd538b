"""What keeps `plixo up` and `plixo demo` from starting: one clear line each, and nothing left behind."""

import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from demo.places import held
from tests.support.program import PLIXO, Said, free_port, processes, run

pytestmark = pytest.mark.journey


def assert_one_line(said: Said, *words: str) -> None:
    assert said.status == 1, said
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    assert said.err.startswith("plixo: ")
    for word in words:
        assert word in said.err


def up(data: Path, *more: str, program: Sequence[str] = PLIXO, **variables: str) -> Said:
    arguments = more if "--port" in more else ("--port", str(free_port()), *more)
    said = run("up", "--data", str(data), *arguments, program=program, **variables)
    assert processes(str(data)) == {}
    return said


@pytest.mark.parametrize(("offset", "part"), [(0, "console"), (4, "smtp")])
def test_a_port_that_is_taken_is_named_with_the_part_that_wanted_it(tmp_path: Path, offset: int, part: str) -> None:
    port = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port + offset))
        other.listen()

        said = up(tmp_path / "data", "--port", str(port))

    assert_one_line(said, f"Port {port + offset} (for the {part}) is taken", "--port")


def test_a_port_without_four_after_it_is_refused(tmp_path: Path) -> None:
    assert_one_line(up(tmp_path / "data", "--port", "65534"), "--port 65534", "at most 65531")


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path, command: str) -> None:
    file = tmp_path / "data"
    file.write_text("not a folder")

    assert_one_line(run(command, "--data", str(file)), f"{file} is a file, not a folder", "--data")
    assert file.read_text() == "not a folder"


@pytest.mark.parametrize("name", ["", "data"], ids=["the folder", "the folder that it is to be made in"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)

    said = run("up", "--data", str(closed / name), "--port", str(free_port()), humbly=True)

    assert_one_line(said, f"Cannot write to {closed / name}", "--data")
    assert list(closed.iterdir()) == []


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_folder_in_use_by_another_is_left_alone(tmp_path: Path, command: str) -> None:
    data = tmp_path / "data"
    with held(data):
        (data / "plixo.db").write_text("somebody's")

        said = run(command, "--data", str(data))

    assert_one_line(said, f"{data} is in use by another Plixo", "--data")
    assert (data / "plixo.db").read_text() == "somebody's"


@pytest.mark.parametrize("missing", ["temporal", "plixo"])
def test_a_program_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    program = _environment_without(missing, tmp_path / "venv")

    said = up(tmp_path / "data", program=[*program, "-m", "starters.cli"])

    assert_one_line(said, f"{missing} is missing beside {program[0]}", "make clean")


def _environment_without(missing: str, folder: Path) -> tuple[str, ...]:
    """The same virtual environment at another place, with all its programs but one."""
    here = Path(sys.executable).parent
    programs = folder / "bin"
    programs.mkdir(parents=True)
    shutil.copy(here.parent / "pyvenv.cfg", folder)
    (folder / "lib").symlink_to(here.parent / "lib")
    for name in {"python", "temporal", "plixo"} - {missing}:
        (programs / name).symlink_to((here / name).resolve())
    return (str(programs / "python"),)


@pytest.mark.parametrize("key", ["sk_live_51Aa", "rk_live_51Aa"])
def test_a_live_key_is_refused_and_never_repeated(tmp_path: Path, key: str) -> None:
    said = up(tmp_path / "data", STRIPE_API_KEY=key)

    assert_one_line(said, "STRIPE_API_KEY is a live key")
    assert key not in said.err


def test_a_database_that_is_none_is_refused_and_kept(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "plixo.db").write_text("this was never a database" * 100)

    assert_one_line(up(data), f"{data} cannot be used", "--data")
    assert (data / "plixo.db").read_text().startswith("this was never")


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    keys = tmp_path / "data" / "keys"
    keys.mkdir(parents=True)
    (keys / "signing-private.json").write_text("{}")
    (keys / "signing-private.json").chmod(0o644)

    assert_one_line(up(tmp_path / "data"), "signing-private.json")


def test_a_part_that_does_not_come_up_is_named_with_its_log(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "standin.db").write_text("this was never a database" * 100)

    assert_one_line(up(data), "The Stripe stand-in stopped", str(data / "logs" / "standin.log"))
