"""The options of every command that goes through the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from starters.cli.api import Api

_EVERYWHERE = Group("On every command", sort_key=9)

Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False, group=_EVERYWHERE)]
"""`--json`: print one JSON document and nothing else."""


@Parameter(name="*")
@dataclass(frozen=True)
class Reach:
    """How the API is reached and the answer printed.

    Attributes:
        as_json: Print one JSON document.
        api: Plixo's address; PLIXO_BASE_URL unless given.
        role: In dev, sign in as this role for one command, such as controller.
    """

    as_json: Json = False
    api: Annotated[str, Parameter(env_var="PLIXO_API", show_default=False, group=_EVERYWHERE)] = ""
    role: Annotated[str, Parameter(name="--as", show_default=False, group=_EVERYWHERE)] = ""

    @property
    def suffix(self) -> str:
        """What a suggested command needs to be run by the same person."""
        return f" --as {self.role}" if self.role else ""


HERE: Final = Reach()
"""The default: people's words, this machine's address, whoever is signed in."""


@contextmanager
def reached(reach: Reach, *, signed_in: bool = True) -> "Iterator[Api]":
    """The API, with the token of whoever is signed in, or of the role that `--as` names.

    Raises:
        CommandFailed: The address is none, or nobody is signed in there.
    """
    from starters.cli.api import open_api  # noqa: PLC0415 - `plixo --help` stays quick

    with open_api(reach, signed_in=signed_in) as api:
        yield api
