"""The one place that wires real parts together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from activities.approvals import ApprovalActivities
from activities.audit import AuditActivities
from activities.digests import DigestActivities
from activities.effects import EffectActivities
from plixo.config import Settings
from plixo.directory.calendars import PeoplesCalendars, warm_up
from plixo.directory.seed import load_seed
from plixo.domain.ids import POLICY_CHAIN
from plixo.mail.post_office import PostOffice
from plixo.oidc.provider import Provider, open_provider
from plixo.policy.published import PublishedPolicy, load_policy
from plixo.ports import AuditEntry
from plixo.signing.keys import KeySource, load_or_create_signing_key
from plixo.signing.tokens import StaffSigner, StaffVerifier
from plixo.store import people, policies, sums
from plixo.store.administrators import ensure_administrator
from plixo.store.checkpoint_folder import CheckpointFolder
from plixo.store.engine import open_engine
from plixo.store.ledger import SqlLedger, SqlTransaction
from plixo.store.migrate import upgrade
from plixo.stripe.gateway import CALLS_PER_SECOND, StripeGateway
from plixo.temporal.client import connect, payload_codec
from plixo.temporal.codec import Codec
from plixo.temporal.payload_keys import ensure_payload_keys, load_payload_keys
from plixo.temporal.ui import TemporalUi, open_temporal_ui
from starters.checkpoints import CheckpointDesk
from starters.desk import Desk
from starters.trust import POLICY_KIND, NotTrusted, Trust, policy_body


def now() -> datetime:
    """The clock of everything that is not inside a workflow."""
    return datetime.now(UTC)


async def prepare_database(settings: Settings) -> str:
    """Bring the database to this version, seed an empty directory, publish the shipped policy when it is new.

    Returns:
        The revision the database is at.
    """
    revision = await upgrade(settings.database)
    engine = open_engine(settings.database)
    try:
        async with SqlLedger(engine).begin() as tx:
            folder = load_policy(settings.policies)
            await people.seed_if_empty(tx.session, load_seed(settings.people_seed, folder.base_currency))
            await ensure_administrator(tx.session, settings.first_administrator)
            await _publish_shipped(tx, folder, _shipped_signature(settings, folder))
    finally:
        await engine.dispose()
    return revision


async def _publish_shipped(tx: SqlTransaction, folder: PublishedPolicy, sign: policies.Sign) -> None:
    """The shipped policy holds until people publish one; where it follows an earlier one, the audit log says so."""
    await sums.lock(tx.session, POLICY_CHAIN)
    version = await policies.publish_shipped(tx.session, folder.hash, folder.content, now(), sign)
    if version and version > 1:
        detail = {"version": version, "hash": folder.hash, "base_version": version - 1}
        await tx.audit(AuditEntry(POLICY_CHAIN, "policy_published", "system", detail), now())


def _shipped_signature(settings: Settings, folder: PublishedPolicy) -> policies.Sign:
    """Where the console's key is at hand, a release's policy is signed, so that other releases' consoles take it."""
    if not settings.signing_key.exists():
        return lambda _version: None
    key = load_or_create_signing_key(settings.signing_key, settings.public_keys)
    at = now()
    return lambda version: StaffSigner(key).sign(
        POLICY_KIND, policy_body(version, folder.hash, "release", "system", at), now=at
    )


async def published_policy(ledger: SqlLedger, trust: Trust) -> PublishedPolicy:
    """The newest published policy that can be used here; where it is not the newest of all, nothing is routed.

    Raises:
        LookupError: None was published; `plixo db upgrade` publishes the one in `policies/`. Or none can be used.
    """
    why = "No policy is published; run `plixo db upgrade`."
    async with ledger.read() as session:
        for version in await policies.numbers(session):
            kept = await policies.kept(session, version)
            try:
                if kept:
                    return trust.policy(kept)
            except NotTrusted as refused:
                trust.tell(version, str(refused))
                why = f"No published policy can be used here; version {version}: {refused}."
    raise LookupError(why)


def open_trust(settings: Settings) -> Trust:
    """What makes a published policy or rate hold: the staff side's keys, and this release's own policy."""
    return Trust(StaffVerifier(KeySource(settings.public_keys)), load_policy(settings.policies).hash)


@dataclass(frozen=True)
class Staff:
    """What the console and the API run on.

    Attributes:
        settings: This process's settings.
        desk: What starters need.
        verifier: Checks what was signed, for the audit pages.
        provider: The identity provider by which staff sign in; None where none is configured.
        codec: Decrypts Temporal's payloads for those who may see them; None where there is no Temporal.
        temporal_ui: Temporal's own web interface; None where none is configured.
    """

    settings: Settings
    desk: Desk
    verifier: StaffVerifier
    provider: Provider | None = None
    codec: Codec | None = None
    temporal_ui: TemporalUi | None = None


@asynccontextmanager
async def open_staff(settings: Settings) -> AsyncIterator[Staff]:
    """The staff side: the signing key, a read-only Stripe, Temporal."""
    ensure_payload_keys(settings.payload_keys, now())
    warm_up()
    key = load_or_create_signing_key(settings.signing_key, settings.public_keys)
    read_key = settings.stripe_read_key.get_secret_value() or settings.stripe_api_key.get_secret_value()
    async with (
        _engine(settings) as engine,
        _gateway(settings, read_key, read_only=True) as payments,
        open_provider(settings, now) as provider,
        open_temporal_ui(settings) as temporal_ui,
    ):
        ledger, trust = SqlLedger(engine), open_trust(settings)
        desk = Desk(
            ledger=ledger,
            payments=payments,
            policy=await published_policy(ledger, trust),
            signer=StaffSigner(key),
            temporal=await connect(settings, lazy=True),
            clock=now,
            trust=trust,
        )
        verifier = StaffVerifier(KeySource(settings.public_keys))
        yield Staff(settings, desk, verifier, provider, payload_codec(settings), temporal_ui)


@asynccontextmanager
async def open_books(settings: Settings) -> AsyncIterator[tuple[SqlLedger, StripeGateway]]:
    """Both sides of the close: the database, and a Stripe that can only be read.

    Raises:
        ValueError: There is no Stripe key, or none that can be used.
    """
    read_key = settings.stripe_read_key.get_secret_value() or settings.stripe_api_key.get_secret_value()
    async with _engine(settings) as engine, _gateway(settings, read_key, read_only=True) as payments:
        yield SqlLedger(engine), payments


def open_checkpoint_desk(settings: Settings, ledger: SqlLedger) -> CheckpointDesk:
    """What making checkpoints needs: the audit key, which is made at the first start.

    Raises:
        KeyFileError: A key's file is missing, readable by others, or not a key.
    """
    key = load_or_create_signing_key(settings.audit_key, settings.audit_public_keys)
    return CheckpointDesk(
        ledger=ledger,
        verifier=StaffVerifier(KeySource(settings.public_keys)),
        signer=StaffSigner(key),
        audit_verifier=StaffVerifier(KeySource(settings.audit_public_keys)),
        folder=CheckpointFolder(settings.checkpoint_folder),
        clock=now,
    )


@dataclass(frozen=True)
class Workshop:
    """What the worker processes run on.

    Attributes:
        settings: This process's settings.
        ledger: The database.
        approvals: Activities that need the database alone.
        effects: Activities that move money.
        audit: Activities on the audit log.
        digests: Writes the weekly digest.
        post_office: Sends what the outbox holds.
        temporal: For the approvals queue, and for the sweeper.
        stripe_client: For the money queue: two workers of one process cannot share a client.
    """

    settings: Settings
    ledger: SqlLedger
    approvals: ApprovalActivities
    effects: EffectActivities
    audit: AuditActivities
    digests: DigestActivities
    post_office: PostOffice
    temporal: Client
    stripe_client: Client


@asynccontextmanager
async def open_workshop(settings: Settings) -> AsyncIterator[Workshop]:
    """The workers' side: public keys only, the keys of payloads, and the Stripe key that may write."""
    verifier = StaffVerifier(KeySource(settings.public_keys))
    load_payload_keys(settings.payload_keys)
    warm_up()
    write_key = settings.stripe_api_key.get_secret_value()
    async with _engine(settings) as engine, _gateway(settings, write_key, read_only=False) as payments:
        ledger = SqlLedger(engine)
        yield Workshop(
            settings=settings,
            ledger=ledger,
            approvals=ApprovalActivities(ledger, verifier, now, PeoplesCalendars()),
            effects=EffectActivities(ledger, payments, verifier, now),
            audit=AuditActivities(ledger, now),
            digests=DigestActivities(ledger, now),
            post_office=PostOffice.open(settings),
            temporal=await connect(settings),
            stripe_client=await connect(settings),
        )


@asynccontextmanager
async def _engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(settings.database)
    try:
        yield engine
    finally:
        await engine.dispose()


def _gateway(settings: Settings, key: str, *, read_only: bool) -> StripeGateway:
    """Stripe itself is called at the shipped rate unless a setting says otherwise; the stand-in without a limit."""
    rate = settings.stripe_calls_per_second
    if rate is None and not settings.stripe_base_url:
        rate = CALLS_PER_SECOND
    base_url = settings.stripe_base_url or None
    return StripeGateway.open(api_key=key, base_url=base_url, read_only=read_only, calls_per_second=rate)
