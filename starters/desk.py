"""What the staff side works with: the database, a read-only Stripe, the policy, the signing key, Temporal."""

from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client

from plixo.directory.calendars import PeoplesCalendars
from plixo.domain.refusals import Conflict
from plixo.policy.published import PublishedPolicy
from plixo.ports import Calendars, Clock, Payments, Signer
from plixo.store import policies
from plixo.store.ledger import SqlLedger
from starters.trust import NotTrusted, Trust


@dataclass(frozen=True)
class Desk:
    """Everything a starter needs; made once a process by `plixo.bootstrap`.

    Attributes:
        ledger: The database.
        payments: Stripe, with a key that can only read.
        policy: The published policy that routes new requests; a newer one is taken up by `up_to_date`.
        signer: The staff side's signing key.
        temporal: Where workflows run.
        clock: What time it is.
        trust: What makes a published policy or rate hold.
        calendars: When people work.
        parsed: Versions that this process has read since it started, by number: each is parsed once.
        newest: The newest version's number, where it cannot be used here; `policy` is the last good one then.
        unusable: Why it cannot; empty where it can.
    """

    ledger: SqlLedger
    payments: Payments
    policy: PublishedPolicy
    signer: Signer
    temporal: Client
    clock: Clock
    trust: Trust
    calendars: Calendars = field(default_factory=PeoplesCalendars)
    parsed: dict[int, PublishedPolicy] = field(default_factory=dict, compare=False, repr=False)
    newest: int = 0
    unusable: str = ""

    @property
    def follows(self) -> int:
        """The version that a draft follows: the newest, whether it can be used here or not."""
        return self.newest or self.policy.version

    async def up_to_date(self, session: AsyncSession) -> "Desk":
        """The desk with the newest published policy: one small query, and a parse only after somebody has published.

        A newest one that cannot be used stops routing alone: whoever reads goes on with the last good one.
        """
        newest = await policies.newest_version(session)
        if newest is None or (newest == self.policy.version and not self.unusable):
            return self
        try:
            policy = await self.policy_of(session, newest)
        except NotTrusted as why:
            self.trust.tell(newest, str(why))
            good = max(self.parsed.values(), key=lambda one: one.version, default=self.policy)
            good = max(good, self.policy, key=lambda one: one.version)
            return replace(self, policy=good, newest=newest, unusable=str(why))
        return replace(self, policy=policy, newest=0, unusable="")

    def check_routing(self) -> None:
        """Refuse to route where the newest policy cannot be used here.

        Raises:
            Conflict: It says what to do.
        """
        if self.unusable:
            words = (
                f"Policy version {self.newest} cannot be used by this console, so nothing can be asked: "
                f"{self.unusable}. Bring this console to the release that published it, or publish another policy."
            )
            raise Conflict.one("policy", "policy_unusable", words)

    async def policy_of(self, session: AsyncSession, version: int) -> PublishedPolicy:
        """A published version.

        Raises:
            LookupError: There is none of that number.
            NotTrusted: It cannot be used here.
        """
        if version == self.policy.version:
            return self.policy
        known = self.parsed.get(version)
        if known is None:
            kept = await policies.kept(session, version)
            if kept is None:
                raise LookupError(f"There is no policy version {version}.")
            known = self.parsed[version] = self.trust.policy(kept)
        return known
