"""What the staff side works with: the database, a read-only Stripe, the policy, the signing key, Temporal."""

from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client

from plixo.directory.calendars import PeoplesCalendars
from plixo.policy.published import PublishedPolicy
from plixo.ports import Calendars, Clock, Payments, Signer
from plixo.store import policies
from plixo.store.ledger import SqlLedger


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
        calendars: When people work.
        parsed: Versions that this process has read since it started, by number: each is parsed once.
    """

    ledger: SqlLedger
    payments: Payments
    policy: PublishedPolicy
    signer: Signer
    temporal: Client
    clock: Clock
    calendars: Calendars = field(default_factory=PeoplesCalendars)
    parsed: dict[int, PublishedPolicy] = field(default_factory=dict, compare=False, repr=False)

    async def up_to_date(self, session: AsyncSession) -> "Desk":
        """The desk with the newest published policy: one small query, and a parse only after somebody has published."""
        newest = await policies.newest_version(session)
        if newest is None or newest == self.policy.version:
            return self
        return replace(self, policy=await self.policy_of(session, newest))

    async def policy_of(self, session: AsyncSession, version: int) -> PublishedPolicy:
        """A published version.

        Raises:
            LookupError: There is none of that number.
        """
        if version == self.policy.version:
            return self.policy
        known = self.parsed.get(version)
        if known is None:
            content = await policies.content_of(session, version)
            if content is None:
                raise LookupError(f"There is no policy version {version}.")
            known = self.parsed[version] = PublishedPolicy.from_content(content, version)
        return known
