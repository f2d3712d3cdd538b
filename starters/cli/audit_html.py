"""`plixo audit export --html`: the page, from what was read."""

from plixo.bootstrap import now
from plixo.signing.tokens import StaffVerifier
from starters.cli.audit_checkpoints import load_keys
from starters.cli.audit_sources import Exported
from starters.cli.settings import load_settings
from web.audit_story import story_html


def story_page(exported: Exported, *, whole: bool) -> str:
    """The page.

    Raises:
        CommandFailed: There are no public keys to check the signatures by.
    """
    verifier = StaffVerifier(load_keys(load_settings().public_keys))
    scope = "Every request" if whole else "The requests that were named"
    return story_html(exported.blocks, exported.people, verifier, now(), scope=scope)
