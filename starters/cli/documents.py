"""Commands of documents on requests."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plixo.domain.documents import FIELD, MAX_BYTES, DocumentKind, check_size, document_name, size_text
from plixo.domain.refusals import Refused
from starters.cli.credit import ApprovalId
from starters.cli.failures import CommandFailed
from starters.cli.output import facts, heading, line, pages, show, table, when
from starters.cli.reach import HERE, Reach, reached

Answer = Mapping[str, Any]


def documents(approval_id: ApprovalId, /, *, reach: Reach = HERE) -> None:
    """List the documents on a request, who added each, and when.

    Args:
        approval_id: Its id.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        found = api.get("approvals", approval_id, "documents")
    rows = [(one["document_id"], one["name"], _looks(one), _added(one)) for one in found["documents"]]
    empty = f"Nobody has added one; plixo approvals attach {approval_id} FILE does."
    page = table(["Document!", "Name", "What", "Added"], rows, empty=empty)
    first = next((one["document_id"] for one in found["documents"]), "")
    following = f"plixo approvals fetch {approval_id} {first}{reach.suffix}" if first else ""
    show(found, page, as_json=reach.as_json, following=following)


def attach(approval_id: ApprovalId, file: Path, /, *, reach: Reach = HERE) -> None:
    """Add a document to a request: PDF, PNG, JPEG, plain text or CSV, at most 10 MiB; nobody can remove it.

    Args:
        approval_id: Its id.
        file: The file; added again, the same bytes are the same document.
        reach: How Plixo is reached.
    """
    content = _read(file)
    with reached(reach) as api:
        added = api.upload("approvals", approval_id, "documents", field=FIELD, name=file.name, content=content)
    said = "The document is added." if added["added"] else "It was here already: nothing was added twice."
    about = [("Document", added["document_id"]), ("Name", added["name"]), ("What", _looks(added))]
    page = pages(heading(said), facts([*about, ("SHA-256", added["sha256"]), ("Added", _added(added))]))
    show(added, page, as_json=reach.as_json, following=f"plixo approvals documents {approval_id}{reach.suffix}")


def fetch(approval_id: ApprovalId, document: str, /, *, output: Path | None = None, reach: Reach = HERE) -> None:
    """Write a document into a file, which must not be there yet, once its bytes are those that were added.

    Args:
        approval_id: The request's id.
        document: The document's id, as plixo approvals documents shows it.
        output: The file; one of the document's name in this folder unless given.
        reach: How Plixo is reached.
    """
    with reached(reach) as api:
        there = api.get("approvals", approval_id, "documents")["documents"]
        found = next((one for one in there if one["document_id"] == document), None)
        if found is None:
            raise CommandFailed(f"There is no such document; plixo approvals documents {approval_id} lists them.")
        content = api.download("approvals", approval_id, "documents", document)
    if hashlib.sha256(content).hexdigest() != found["sha256"]:
        raise CommandFailed("What arrived is not what was added; nothing was written. Try again.")
    # Whatever an address answers, no name of a document leads out of this folder.
    path = output or Path(document_name(found["name"], DocumentKind(found["kind"])))
    _write(path, content)
    show({**found, "file": str(path)}, line(f"Written: {path}, {_looks(found)}."), as_json=reach.as_json)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        check_size(len(content))
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read ({error.strerror}); name another file.") from error
    except Refused as refusal:
        raise CommandFailed(f"{file}: {refusal}") from refusal
    return content


def _write(path: Path, content: bytes) -> None:
    try:
        with path.open("xb") as made:
            try:
                made.write(content)
                made.flush()
            except OSError:
                path.unlink()
                raise
    except FileExistsError as there:
        raise CommandFailed(f"{path} is there already; name another file with --output.") from there
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written ({error.strerror}); name another file with --output.") from error


def _looks(one: Answer) -> str:
    return f"{DocumentKind(one['kind']).label}, {size_text(one['size'])}"


def _added(one: Answer) -> str:
    return f"{one['person']['name']}, {when(one['added_at'])}"
