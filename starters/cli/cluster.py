"""The Temporal cluster as machines' commands use it, and its failures in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starters.cli.failures import CommandFailed

if TYPE_CHECKING:
    from plixo.config import Settings


def check_temporal(settings: "Settings") -> None:
    """Refuse to go on where no cluster is named.

    Raises:
        CommandFailed: It says which settings name one.
    """
    from temporalio.envconfig import ClientConfig  # noqa: PLC0415 - `plixo --help` stays quick

    if not settings.temporal_address and not ClientConfig.load_client_connect_config().get("target_host"):
        raise CommandFailed("No Temporal is configured; set PLIXO_TEMPORAL_ADDRESS, or TEMPORAL_ADDRESS or a profile.")


@contextmanager
def temporal_reached(settings: "Settings") -> Iterator[None]:
    """Say in one line that the cluster does not answer.

    Raises:
        CommandFailed: In place of the failure.
    """
    try:
        yield
    except RuntimeError as away:
        if "client connect" not in str(away).lower():
            raise
        where = settings.temporal_address or "the address of its profile"
        raise CommandFailed(f"Temporal does not answer at {where}; start it, or set PLIXO_TEMPORAL_ADDRESS.") from away
