"""Which published policies and rates hold: those that the staff side signed, unaltered, and a release's own.

Whoever has the database's password alone can write rows, and must not set the rules with them.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from plixo.domain.refusals import Conflict, NotAllowed
from plixo.policy.published import PolicyInvalid, PublishedPolicy
from plixo.ports import Verifier
from plixo.store.policies import Kept, StandingRate

POLICY_KIND: Final = "policy"
RATE_KIND: Final = "rates"

log = logging.getLogger(__name__)


class NotTrusted(Exception):
    """A published policy cannot be used here; the message says why."""


@dataclass(frozen=True)
class Trust:
    """What makes a published policy or rate hold.

    Attributes:
        verifier: Checks what the staff side signed.
        shipped: The hash of this release's own policy: it holds unsigned, for it came with the code.
        told: Versions that were logged as unusable, so that each is told once.
    """

    verifier: Verifier
    shipped: str = ""
    told: set[int] = field(default_factory=set, compare=False, repr=False)

    def policy(self, kept: Kept) -> PublishedPolicy:
        """The policy in a row.

        Raises:
            NotTrusted: It is unsigned, altered, or cannot be read by this release.
        """
        if kept.signed:
            self._check(kept)
        try:
            policy = PublishedPolicy.from_content(kept.content, kept.version)
        except PolicyInvalid as invalid:
            raise NotTrusted(f"this release cannot read it: {invalid}") from invalid
        if policy.hash != kept.hash:
            raise NotTrusted("its content is not what its hash says")
        if not kept.signed and policy.hash != self.shipped:
            raise NotTrusted("nobody signed it, and it is not the one that came with this release")
        return policy

    def rate(self, currency: str, base: str, found: StandingRate) -> None:
        """Refuse a rate that the staff side did not sign like this.

        Raises:
            Conflict: It is unsigned or altered; the message says what to do.
        """
        body = self._body(found.signed, RATE_KIND)
        as_of = found.as_of.astimezone(UTC).isoformat()
        said = (body.get("currency"), body.get("base"), body.get("rate"), body.get("as_of"))
        if said != (currency, base, found.rate, as_of):
            words = (
                f"The exchange rate for {currency} is not one that was published here, so nothing was asked. "
                "Have an administrator draft it and a Controller or the CFO publish it again."
            )
            raise Conflict.one("currency", "rate_not_signed", words)

    def tell(self, version: int, why: str) -> None:
        """Log once that a version cannot be used."""
        if version not in self.told:
            self.told.add(version)
            log.error("policy version %s cannot be used, nothing is routed by it: %s", version, why)

    def _check(self, kept: Kept) -> None:
        body = self._body(kept.signed or "", POLICY_KIND)
        if (body.get("version"), body.get("hash")) != (kept.version, kept.hash):
            raise NotTrusted("its signature is not the staff side's for this version and content")

    def _body(self, signed: str | None, kind: str) -> Mapping[str, Any]:
        """What was signed; nothing where it was not."""
        try:
            return self.verifier.verify(signed or "", kind, now=None)
        except NotAllowed:
            return {}


def policy_body(version: int, digest: str, author: str, publisher: str, now: datetime) -> dict[str, Any]:
    """What is signed of a published policy."""
    return {"version": version, "hash": digest, "author": author, "publisher": publisher, "at": _moment(now)}


def rate_body(rate: Mapping[str, str], base: str, author: str, publisher: str, now: datetime) -> dict[str, Any]:
    """What is signed of a published rate."""
    return {**rate, "base": base, "author": author, "publisher": publisher, "at": _moment(now)}


def _moment(now: datetime) -> str:
    return now.astimezone(UTC).isoformat()
