"""Ids that tell nothing about anybody and are the same each time they are made from the same words."""

import base64
import hashlib
import re
from typing import Final

from plixo.domain.refusals import Refused

CREDIT_PREFIX: Final = "CR"
ABSENCE_CHAIN: Final = "absences"
"""The audit log's chain of who is away, and of who was not let say so."""

POLICY_CHAIN: Final = "policy"
"""Stands where an approval's id stands in the audit log: the chain of what people did to the policy."""
_ID: Final = re.compile(r"[A-Z]{2}-[A-Z2-7]{26}")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}", re.ASCII)


def approval_id(prefix: str, requester_id: str, request_id: str) -> str:
    """The approval's id: a prefix and 26 base32 letters of SHA-256 over who asks and their own request id."""
    digest = hashlib.sha256(f"{len(requester_id)}:{requester_id}{request_id}".encode()).digest()
    return f"{prefix}-{base64.b32encode(digest).decode()[:26]}"


def is_approval_id(text: str) -> bool:
    """Whether the text has the shape of an approval id."""
    return _ID.fullmatch(text) is not None


def parse_request_id(text: str) -> str:
    """The caller's own id for what they ask; asked again with it, it is the same request.

    Raises:
        Refused: It is empty, longer than 100 characters, or has other characters than letters, digits and `._:-`.
    """
    if not _REQUEST_ID.fullmatch(text.strip()):
        raise Refused.one(
            "request_id",
            "request_id_invalid",
            "Give a request id of 1 to 100 letters, digits or . _ : - so that asking twice stays one request.",
        )
    return text.strip()


def row_request_id(says: bytes, occurrence: int) -> str:
    """The request id of a file's row that says this for the nth time; the same in every file."""
    digest = hashlib.sha256(f"{occurrence}:".encode() + says).digest()
    return f"import-{base64.b32encode(digest).decode().lower()[:26]}"


def fairness_key(customer_id: str) -> str:
    """What stands for a customer where Temporal gives each a turn: it is kept in plain, and at most 64 bytes long."""
    return hashlib.sha256(customer_id.encode()).hexdigest()[:32]


def effect_id(approval: str) -> str:
    """The id of the one write to Stripe that an approval ends in."""
    return f"EF-{approval}"


def approval_of_effect(effect: str) -> str:
    """The approval that an effect's id names, whatever that is."""
    return effect.removeprefix("EF-")


def idempotency_key(approval: str, round_: int) -> str:
    """Stripe's idempotency key for that write: one per approval and round."""
    return f"plixo-{approval}-r{round_}"


WORKFLOWS: Final = ("approval/", "credit/")
"""What the ids of all workflows that carry requests begin with."""


def workflow_of(approval: str) -> str:
    """The workflow that carries a request; credits are named as they were when there was nothing else."""
    return f"{'credit' if approval.startswith(f'{CREDIT_PREFIX}-') else 'approval'}/{approval}"


def approval_of_workflow(workflow_id: str) -> str:
    """The approval that a workflow's id names, whatever that is."""
    return workflow_id.partition("/")[2]
