"""What somebody was shown before they asked: a short text that goes with the form, held against what became of it."""

import re
from dataclasses import dataclass
from typing import Final

from plixo.domain.canonical import sha256_hex
from plixo.domain.path import ApprovalPath, Seat
from plixo.domain.people import Group
from plixo.domain.refusals import Refused

_AUTOMATIC: Final = "automatic"
_SEAT: Final = f"(?:[1-9][0-9]?)?(?:{'|'.join(Group)})"
_STAGE: Final = rf"{_SEAT}(?:\+{_SEAT}){{0,7}}"
_SHOWN: Final = re.compile(
    rf"(?P<version>[0-9]{{1,9}})@(?P<hash>[0-9a-f]{{12}});"
    rf"(?P<route>{_AUTOMATIC}|{_STAGE}(?:,{_STAGE}){{0,7}});(?P<digest>[0-9a-f]{{12}})",
    re.ASCII,
)
_DIGEST: Final = 12


@dataclass(frozen=True)
class Previewed:
    """A path as it was shown.

    Attributes:
        version: Of the policy that made it.
        words: Each stage in words, as `ApprovalPath.describe` says them.
        digest: The start of the path's hash.
    """

    version: int
    words: tuple[str, ...]
    digest: str

    @classmethod
    def parse(cls, text: str) -> "Previewed | None":
        """What a form brought back; None where it says nothing.

        Raises:
            Refused: No preview says this.
        """
        if not text:
            return None
        found = _SHOWN.fullmatch(text)
        if found is None:
            raise Refused.one(
                "previewed", "previewed_unreadable", "No preview says this; leave it out, or preview again."
            )
        return cls(int(found["version"]), _words(found["route"]), found["digest"])

    def difference(self, path: ApprovalPath, reference: str) -> str:
        """What differs in the path that came about, in words; empty when nothing does.

        Args:
            path: Who is really asked.
            reference: The policy that made it, such as `3@9f2c01ab34cd`.
        """
        if self.digest == _digest(path):
            return ""
        after = path.describe()
        if after != self.words:
            said = f"When it was checked, {_asked(self.words)} would have been asked; now it is {_asked(after)}."
        else:
            said = (
                "Those who are asked are the ones that were shown, but the rule, the limits, the clocks, or what "
                "follows a rejection or an empty group, are others."
            )
        version = int(reference.partition("@")[0])
        why = "Amounts of other requests, a rate or the directory have changed since."
        if version != self.version:
            why = f"Policy version {version} has followed version {self.version} since."
        return f"{said} {why}"


def previewed(path: ApprovalPath, reference: str) -> str:
    """What goes with the form of somebody who was shown this path.

    Args:
        path: What they were shown.
        reference: The policy that made it, such as `3@9f2c01ab34cd`.
    """
    return f"{reference};{_route(path)};{_digest(path)}"


def _digest(path: ApprovalPath) -> str:
    return sha256_hex(path.to_claims())[:_DIGEST]


def _route(path: ApprovalPath) -> str:
    return ",".join("+".join(_seat(seat) for seat in stage.seats) for stage in path.stages) or _AUTOMATIC


def _seat(seat: Seat) -> str:
    return seat.group.value if seat.quorum == 1 else f"{seat.quorum}{seat.group.value}"


def _words(route: str) -> tuple[str, ...]:
    if route == _AUTOMATIC:
        return (_AUTOMATIC,)
    return tuple(" and ".join(_seat_of(seat).describe() for seat in stage.split("+")) for stage in route.split(","))


def _seat_of(text: str) -> Seat:
    group = text.lstrip("0123456789")
    return Seat(Group(group), quorum=int(text.removesuffix(group) or 1))


def _asked(words: tuple[str, ...]) -> str:
    return "nobody" if words == (_AUTOMATIC,) else ", then ".join(words)
