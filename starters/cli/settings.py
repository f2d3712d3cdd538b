"""This process's settings, with a typing mistake in the environment said in one line."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from plixo.config import Settings
from starters.cli.failures import CommandFailed


def load_settings(data: Path | None = None) -> Settings:
    """The settings of the environment.

    Args:
        data: The data folder, where the command line names one.

    Raises:
        CommandFailed: A variable has no use as it is; it names the variable and never shows its value.
    """
    chosen: dict[str, Any] = {"data": data} if data else {}
    try:
        return Settings(**chosen)
    except ValidationError as invalid:
        raise CommandFailed("; ".join(_words(error["loc"], error["msg"]) for error in invalid.errors())) from None


def _words(place: tuple[int | str, ...], message: str) -> str:
    plain = message.removeprefix("Value error, ")
    return f"{variable(str(place[0]))} cannot be used: {plain}." if place else f"{plain}."


def variable(name: str) -> str:
    """The environment variable of a setting: its alias, or `PLIXO_` and its name in capitals."""
    field = Settings.model_fields.get(name)
    if field is None:
        return name
    return str(field.validation_alias or f"PLIXO_{name.upper()}")
