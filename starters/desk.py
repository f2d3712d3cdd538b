"""What the staff side works with: the database, a read-only Stripe, the policy, the signing key, Temporal."""

from dataclasses import dataclass, field

from temporalio.client import Client

from plixo.directory.calendars import PeoplesCalendars
from plixo.policy.published import PublishedPolicy
from plixo.ports import Calendars, Clock, Payments, Signer
from plixo.store.ledger import SqlLedger


@dataclass(frozen=True)
class Desk:
    """Everything a starter needs; made once a process by `plixo.bootstrap`.

    Attributes:
        ledger: The database.
        payments: Stripe, with a key that can only read.
        policy: The published policy that routes new requests.
        signer: The staff side's signing key.
        temporal: Where workflows run.
        clock: What time it is.
        calendars: When people work.
    """

    ledger: SqlLedger
    payments: Payments
    policy: PublishedPolicy
    signer: Signer
    temporal: Client
    clock: Clock
    calendars: Calendars = field(default_factory=PeoplesCalendars)
