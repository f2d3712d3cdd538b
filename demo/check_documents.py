"""Is every document that a chain tells of still there, byte by byte, and none that no chain tells of?"""

import hashlib
from collections.abc import Iterator
from typing import Final

from demo.check_model import Finding, House

TOLD: Final = ("document_id", "name", "kind", "size", "sha256")
"""What an entry says of the document that was added."""


def check_documents(house: House) -> Iterator[Finding]:
    """A finding for every document that is gone, changed, or was never told of."""
    told = {
        (approval_id, line["actor"], *(str(line["detail"].get(name)) for name in TOLD))
        for approval_id, chain in house.chains.items()
        for line in chain
        if line["event"] == "document_added" and isinstance(line["detail"], dict)
    }
    there = {(row["approval_id"], row["person_id"], *(str(row[name]) for name in TOLD)) for row in house.documents}
    for approval_id, _person, document_id, *_rest in sorted(told - there):
        words = f"The audit log tells of document {document_id}, which is not there as it was added."
        yield Finding("document_missing", approval_id, words)
    for approval_id, _person, document_id, *_rest in sorted(there - told):
        words = f"The audit log does not tell of document {document_id} as it is."
        yield Finding("document_untold", approval_id, words)
    for row in house.documents:
        if len(row["content"]) != row["size"] or hashlib.sha256(row["content"]).hexdigest() != row["sha256"]:
            words = f"The bytes of document {row['document_id']} are not those that were added."
            yield Finding("document_altered", row["approval_id"], words)
