"""Holding the audit log against the checkpoints that were kept of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from plixo.ports import Verifier
from plixo.store.checkpoint_file import BadCheckpoint, Held, prove, signed_hash
from plixo.store.checkpoint_folder import CheckpointFolder
from plixo.store.checkpoints import Kept

NEWEST: Final = 7
"""How many checkpoints the log is held against: a week of daily ones."""

NONE_KEPT: Final = "No checkpoint was found: that a chain's end was cut off, or a request removed, may not show."


@dataclass
class Against:
    """Takes the log request by request, and says what the checkpoints hold and it does not.

    Attributes:
        held: The checkpoints, newest first.
        findings: One a request, by the newest checkpoint that it contradicts.
    """

    held: Sequence[Held]
    findings: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def take(self, approval_id: str, hashes: Sequence[str]) -> None:
        """One request's chain, as the hashes of its entries."""
        self._seen.add(approval_id)
        denials = (held.denied_by(approval_id, hashes) for held in self.held)
        self.findings += [denied for denied in denials if denied][:1]

    def finish(self) -> None:
        """Every request has been taken: those that a checkpoint holds and nobody saw are missing."""
        names = {name for held in self.held for name in held.heads}
        for name in sorted(names - self._seen):
            self.take(name, ())


@dataclass(frozen=True)
class Shelf:
    """What the folder and the database have of checkpoints.

    Attributes:
        held: Those to hold the log against, newest first.
        findings: What is wrong with the checkpoints themselves.
        notes: What a reader must know of them.
    """

    held: tuple[Held, ...] = ()
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def shelf(folder: CheckpointFolder, rows: Sequence[Kept], verifier: Verifier) -> Shelf:
    """The newest checkpoints, as far back as nobody began anew.

    Args:
        folder: Where their files are.
        rows: The newest of the database, newest first.
        verifier: Holds the public audit keys.
    """
    known = {row.number: row.signed for row in rows[:NEWEST]}
    numbers = sorted({*known, *folder.numbers()[:NEWEST]}, reverse=True)[:NEWEST]
    held: list[Held] = []
    findings: list[str] = []
    for number in numbers:
        found = _proved(folder, number, verifier)
        if isinstance(found, str):
            findings.append(found)
            continue
        findings += _strange(folder, found, known, held)
        held.append(found)
        if found.checkpoint.anew:
            break
    notes = [note for one in held for note in notes_on(one)]
    return Shelf(tuple(held), tuple(findings), tuple(notes) if held else (NONE_KEPT, *notes))


def notes_on(held: Held) -> list[str]:
    """What a reader must know of a checkpoint."""
    checkpoint, found = held.checkpoint, []
    if checkpoint.findings:
        found.append(f"When {held.name} was signed, this was found: {'; '.join(checkpoint.findings)}")
    if checkpoint.anew:
        found.append(f"{held.name.capitalize()} does not follow from the one before it: {checkpoint.anew}")
    elif checkpoint.previous and not checkpoint.compared_with:
        found.append(f"When {held.name} was signed, the one before it was not in the folder to be compared with.")
    return found


def _proved(folder: CheckpointFolder, number: int, verifier: Verifier) -> Held | str:
    place = folder.path(number)
    if not place.exists():
        return f"checkpoint {number}: its file {place} is missing"
    try:
        held = prove(folder.read(number), verifier)
    except BadCheckpoint as bad:
        return f"checkpoint {number}: {place} is not to be trusted: {bad}"
    if held.checkpoint.number != number:
        return f"checkpoint {number}: {place} holds {held.name}"
    return held


def _strange(folder: CheckpointFolder, found: Held, known: dict[int, str], later: Sequence[Held]) -> list[str]:
    """Whether the database and the checkpoint after it speak of the same one."""
    number, problems = found.checkpoint.number, []
    if number not in known:
        problems.append(f"checkpoint {number}: {folder.path(number)} is there, and the database has lost it")
    elif known[number] != found.signed:
        problems.append(f"checkpoint {number}: the database holds another one than {folder.path(number)}")
    next_one = later[-1].checkpoint if later and later[-1].checkpoint.number == number + 1 else None
    if next_one and next_one.previous != signed_hash(found.signed):
        problems.append(f"checkpoint {number}: checkpoint {number + 1} follows another one")
    return problems
