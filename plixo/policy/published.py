"""One published policy: limits and decision table, under one version and one hash."""

import json
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import zen

from plixo.domain.canonical import can_be_hashed, canonical_json, sha256_hex
from plixo.domain.facts import Facts
from plixo.domain.facts import authority as authority_of
from plixo.domain.path import ApprovalPath, Route, Ruling
from plixo.domain.people import Group, Person
from plixo.domain.planning import PathLimits, build_path
from plixo.policy.cells import TABLE_FILE
from plixo.policy.guard import guarded
from plixo.policy.invalid import PolicyInvalid
from plixo.policy.limits import LIMITS_FILE, Limits, parse_limits
from plixo.policy.rules import Rule
from plixo.policy.stages import check_named
from plixo.policy.table import ask, check_table, compile_table, named_stages, rules_of
from plixo.policy.trial import try_out

__all__ = ["PolicyInvalid", "PublishedPolicy", "load_policy"]

_HASH_SHOWN = 12


@dataclass(frozen=True)
class PublishedPolicy:
    """A policy as it was published; it never changes again.

    Attributes:
        version: Counts publications, from 1.
        hash: SHA-256 over the canonical JSON of both parsed files, in hexadecimal.
        content: That JSON: what the database keeps.
        base_currency: ISO code in capitals; every limit is in it.
    """

    version: int
    hash: str
    content: str
    base_currency: str

    @classmethod
    def from_content(cls, content: str, version: int) -> "PublishedPolicy":
        """The policy that the database kept.

        Raises:
            PolicyInvalid: The content is not what `content` of a published policy holds.
        """
        try:
            plain = json.loads(content)
            limits, table = plain["limits"], plain["table"]
        except (ValueError, TypeError, KeyError) as broken:
            raise PolicyInvalid("content", "", "must be the JSON of a policy's limits and table") from broken
        return _publish(limits, table, version)

    @classmethod
    def from_parts(cls, limits: object, table: object, version: int = 0) -> "PublishedPolicy":
        """A policy that somebody wants to publish, tried on every reason; 0 stands for no version yet.

        Raises:
            PolicyInvalid: It cannot be used; it names the file and the field.
        """
        if not can_be_hashed([limits, table]):
            raise PolicyInvalid(TABLE_FILE, "", "must hold whole numbers and text alone, not nested too deep")
        if not isinstance(limits, dict):
            raise PolicyInvalid(LIMITS_FILE, "", "must be a table")
        policy = _publish(limits, table, version)
        try_out(policy)
        return policy

    @property
    def reference(self) -> str:
        """Version and start of the hash, such as `1@9f2c01ab34cd`: what a request keeps."""
        return f"{self.version}@{self.hash[:_HASH_SHOWN]}"

    def authority(self, person: Person, kind: str) -> int:
        """What the person may do alone, in minor units of the base currency."""
        return authority_of(person, self._limits.authority.get(kind, {}), kind)

    def limits(self, kind: str) -> PathLimits:
        """What approvers may decide alone, their clocks, how they are asked, and who decides in their place.

        Raises:
            PolicyInvalid: It says nothing about that kind of request.
        """
        alone = self._approve(kind)
        limits = self._limits
        return PathLimits(alone["controller"], alone["legal"], limits.clocks, limits.fallbacks, limits.stages)

    def answer(self, facts: Facts) -> Ruling:
        """What the table alone answers.

        Raises:
            PolicyInvalid: The table has no answer, or one that nobody knows.
        """
        found = ask(self._engine, facts.to_context(self._table_limits(facts.kind)))
        try:
            stages = found.get("stages") or ""
            return Ruling(Route(found["route"]), found["rule"], found["why"], found["ceiling"], stages)
        except (KeyError, ValueError, TypeError) as unknown:
            raise PolicyInvalid(TABLE_FILE, "", f"gives no answer for reason {facts.reason}: {found}") from unknown

    def route(self, facts: Facts) -> Ruling:
        """Who decides on a request with these facts: as the table answers, and never less than the house promises.

        Raises:
            PolicyInvalid: As for `answer`.
        """
        return guarded(self.answer(facts), facts, self._table_limits(facts.kind))

    def path(self, facts: Facts, requester_groups: frozenset[Group]) -> ApprovalPath:
        """The approval path of a request with these facts.

        Raises:
            PolicyInvalid: As for `route`.
        """
        return build_path(self.route(facts), requester_groups, facts.amount_minor, self.limits(facts.kind))

    def rules(self) -> list[Rule]:
        """Every row of the decision table, to be shown."""
        return rules_of(self._plain["table"])

    @property
    def fresh_sign_in_above(self) -> int:
        """A decision on more than this, in minor units of the base currency, asks for a fresh sign-in."""
        return self._limits.fresh_sign_in_above

    @property
    def fresh_sign_in_minutes(self) -> int:
        """How many minutes old a fresh sign-in may be."""
        return self._limits.fresh_sign_in_minutes

    @property
    def rate_days(self) -> int:
        """An exchange rate that is more than this many days old is stale."""
        return self._limits.rate_days

    @property
    def sum_days(self) -> int:
        """Over how many days the sums run."""
        return self._limits.sum_days

    @property
    def sums(self) -> dict[str, int]:
        """The limits of the sums and each day's ceilings, in minor units of the base currency."""
        return self._limits.sums

    @property
    def plain_limits(self) -> dict[str, Any]:
        """The limits as published, amounts in whole major units."""
        limits: dict[str, Any] = self._plain["limits"]
        return limits

    @property
    def plain_table(self) -> dict[str, Any]:
        """The decision table as published."""
        table: dict[str, Any] = self._plain["table"]
        return table

    def _table_limits(self, kind: str) -> dict[str, int]:
        return self._approve(kind) | self._limits.sums

    def _approve(self, kind: str) -> dict[str, int]:
        alone = self._limits.approve.get(kind)
        if alone is None:
            raise PolicyInvalid(LIMITS_FILE, f"approve.{kind}", "is missing: this policy has no such kind of request")
        return alone

    @cached_property
    def _plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = json.loads(self.content)
        return plain

    @cached_property
    def _limits(self) -> Limits:
        return parse_limits(self._plain["limits"])

    @cached_property
    def _engine(self) -> zen.ZenEngine:
        return compile_table(self._plain["table"])


def load_policy(folder: Path, version: int = 1) -> PublishedPolicy:
    """The policy in a folder's `limits.toml` and `approvals.jdm.json`, with every reason tried on it.

    Raises:
        PolicyInvalid: A file is missing or broken; it names the file and the field.
    """
    limits_text, table_text = _read(folder, LIMITS_FILE), _read(folder, TABLE_FILE)
    try:
        limits = tomllib.loads(limits_text)
    except tomllib.TOMLDecodeError as broken:
        raise PolicyInvalid(LIMITS_FILE, "", f"is no TOML: {broken}") from broken
    try:
        table = json.loads(table_text)
    except ValueError as broken:
        raise PolicyInvalid(TABLE_FILE, "", f"is no JSON: {broken}") from broken
    policy = _publish(limits, table, version)
    try_out(policy)
    return policy


def _publish(limits: dict[str, Any], table: Any, version: int) -> PublishedPolicy:  # noqa: ANN401 - parsed JSON
    parsed = parse_limits(limits)
    both = {"limits": limits, "table": check_table(table)}
    check_named(named_stages(both["table"]), parsed.stages)
    return PublishedPolicy(version, sha256_hex(both), canonical_json(both).decode(), parsed.base_currency)


def _read(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as broken:
        raise PolicyInvalid(name, "", f"cannot be read from {folder}: {broken}") from broken
