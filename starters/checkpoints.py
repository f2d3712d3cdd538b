"""Making checkpoints over the audit log: the staff side's, which alone holds the audit key."""

from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Final

from sqlalchemy.exc import IntegrityError

from plixo.domain.checkpoint import Checkpoint, Head, merkle_root
from plixo.ports import Clock, Signer, Verifier
from plixo.store import audit_export, checkpoints
from plixo.store.audit_file import Block, Checked, check_block, hashes_of
from plixo.store.checkpoint_check import Against
from plixo.store.checkpoint_file import CHECKPOINT_KIND, BadCheckpoint, Held, prove, signed_hash, to_document
from plixo.store.checkpoint_folder import CheckpointFolder
from plixo.store.ledger import SqlLedger

LEASE: Final = timedelta(minutes=10)
"""How long a console may take to make one; one that died lets go of it then."""

GAP: Final = timedelta(seconds=20)
"""How soon after a checkpoint a wish may bring the next one."""

MOST_FINDINGS: Final = 20
"""How many findings a checkpoint quotes."""


class CannotCheckpoint(Exception):
    """No checkpoint can be made; nothing was signed, and the message says what to do."""


@dataclass(frozen=True)
class CheckpointDesk:
    """What making checkpoints needs.

    Attributes:
        ledger: The database.
        verifier: Holds the staff side's public keys, for what the log holds.
        signer: Holds the audit key.
        audit_verifier: Holds the public audit keys.
        folder: Where they are kept as files.
        clock: What time it is.
    """

    ledger: SqlLedger
    verifier: Verifier
    signer: Signer
    audit_verifier: Verifier
    folder: CheckpointFolder
    clock: Clock


@dataclass
class _Reading:
    """What was read of the log, held against the checkpoint before."""

    number: int
    before: Held | None
    against: Against
    checked: Checked = field(default_factory=Checked)
    heads: list[Head] = field(default_factory=list)

    def take(self, block: Block, verifier: Verifier) -> None:
        name, hashes = str(block["approval_id"]), hashes_of(block)
        self.checked = self.checked.plus(block, check_block(block, verifier))
        self.against.take(name, hashes)
        if hashes:
            self.heads.append(Head(name, len(hashes), hashes[-1]))


async def make_checkpoint(desk: CheckpointDesk, *, anew: str = "") -> Held:
    """Read the whole log, hold it against the checkpoint before, and sign what it holds now.

    Args:
        desk: What it needs.
        anew: Why the log may differ from the checkpoint before, as after a restored backup; it is signed as well.

    Raises:
        CannotCheckpoint: The log lacks what the checkpoint before holds, that one's file is not to be trusted, or
            somebody else made one in the same moment.
        OSError: The folder cannot be written.
    """
    last = await _last(desk)
    number = max([last.number if last else 0, *desk.folder.numbers()[:1]]) + 1
    before = None if anew else _before(desk, last)
    reading = _Reading(number, before, Against([before] if before else []))
    async with desk.ledger.read() as session:
        async for block in audit_export.blocks(session, await audit_export.known_ids(session)):
            reading.take(block, desk.verifier)
    reading.against.finish()
    denials = reading.against.findings
    if denials:
        advice = "nothing was signed; restore what is missing, or sign with --anew and the reason"
        raise CannotCheckpoint(f"The audit log is not what it was: {'; '.join(denials[:3])}; {advice}.")
    return await _sign(desk, last, reading, anew)


async def meet_wishes(desk: CheckpointDesk) -> int:
    """Make the checkpoint that somebody wished for, if nobody else is at it; how many were made.

    One that cannot be made leaves the reason with the wish, and is tried again when the lease ends.
    """
    async with desk.ledger.read() as session:
        if not await checkpoints.waiting(session):
            return 0
    async with desk.ledger.begin() as tx:
        if not await checkpoints.lease(tx.session, desk.clock(), LEASE, GAP):
            return 0
    try:
        await make_checkpoint(desk)
    except (CannotCheckpoint, OSError) as why:
        async with desk.ledger.begin() as tx:
            await checkpoints.hold(tx.session, str(why))
        raise
    return 1


async def _last(desk: CheckpointDesk) -> checkpoints.Kept | None:
    """The newest checkpoint, its file finished where somebody died before it got its name."""
    async with desk.ledger.read() as session:
        found = await checkpoints.newest(session)
    if not found:
        return None
    desk.folder.finish(found[0].number, found[0].signed)
    return found[0]


def _before(desk: CheckpointDesk, last: checkpoints.Kept | None) -> Held | None:
    """The newest checkpoint with its heads; None where there is none, or its file is gone.

    Raises:
        CannotCheckpoint: The folder and the database do not speak of the same one.
    """
    kept = desk.folder.numbers()
    newest = max([last.number if last else 0, *kept[:1]])
    if newest not in kept:
        return None
    place = desk.folder.path(newest)
    try:
        held = prove(desk.folder.read(newest), desk.audit_verifier)
    except BadCheckpoint as bad:
        raise CannotCheckpoint(f"{place} is not to be trusted: {bad}; sign with --anew and the reason.") from bad
    if last is None or held.signed != last.signed:
        words = f"The database does not know {place}; is it another one, or were its checkpoints removed?"
        raise CannotCheckpoint(f"{words} Name the right folder, or sign with --anew and the reason.")
    return held


async def _sign(desk: CheckpointDesk, last: checkpoints.Kept | None, reading: _Reading, anew: str) -> Held:
    now = desk.clock()
    checkpoint = Checkpoint(
        number=reading.number,
        at=now.astimezone(UTC).isoformat(timespec="milliseconds"),
        root=merkle_root(reading.heads),
        requests=len(reading.heads),
        entries=sum(head.entries for head in reading.heads),
        previous=signed_hash(last.signed) if last else "",
        compared_with=reading.before.checkpoint.number if reading.before else 0,
        findings=reading.checked.findings[:MOST_FINDINGS],
        anew=anew,
    )
    signed = desk.signer.sign(CHECKPOINT_KIND, checkpoint.to_claims(), now=now)
    prepared = desk.folder.prepare(to_document(checkpoint, signed, reading.heads))
    try:
        async with desk.ledger.begin() as tx:
            if await checkpoints.newest(tx.session) != ([last] if last else []):
                raise _raced()
            await checkpoints.insert(tx.session, checkpoint, signed)
            await checkpoints.meet(tx.session, checkpoint.number)
    except (CannotCheckpoint, IntegrityError) as raced:
        prepared.unlink(missing_ok=True)
        raise _raced() from raced
    desk.folder.finish(checkpoint.number, signed)
    return Held(checkpoint, signed, {head.approval_id: head for head in reading.heads})


def _raced() -> CannotCheckpoint:
    return CannotCheckpoint("Another checkpoint was made in the same moment; that one holds.")
