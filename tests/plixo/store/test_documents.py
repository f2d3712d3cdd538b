"""What shows that a document's bytes are no longer those that were added."""

from typing import Any

import pytest

from plixo.domain.documents import DocumentKind
from plixo.store import documents
from plixo.store.documents import PART
from starters.documents import Adding, add_document
from tests.support.desk import open_office
from tests.support.rows import fresh_sqlite, tamper

CONTENT = b"%PDF-" + bytes(2 * PART)

CHANGED = "cast(substr(content, 1, 99) || x'01' || substr(content, 101) as blob)"
MOVED = "case position when 1 then 9 else 1 end"
CHANGES = [
    ("a byte", f"update document_parts set content = {CHANGED}"),
    ("text instead of bytes", "update document_parts set content = 'text' where position = 1"),
    ("a part that is gone", "delete from document_parts where position = 1"),
    ("the last part that is gone", "delete from document_parts where position = 2"),
    ("parts in another order", f"update document_parts set position = {MOVED} where position > 0"),
    ("a longer part", "update document_parts set content = content || x'00' where position = 2"),
    ("a shorter part", "update document_parts set content = substr(content, 1, 3) where position = 2"),
    ("another size", "update documents set size = size - 1"),
    ("another hash", "update documents set sha256 = 'ab'"),
]  # fmt: skip


@pytest.mark.asvs("16.4.2")
@pytest.mark.parametrize("statement", [pytest.param(one, id=name) for name, one in CHANGES])
async def test_changed_bytes_show_and_are_named(tmp_path: Any, statement: str) -> None:
    async with open_office(await fresh_sqlite(tmp_path)) as office:
        approval_id = await office.asked()
        adding = Adding(office.rows.people["billing_admin"], "mail.pdf", CONTENT)
        added = (await add_document(office.desk, approval_id, adding)).document
        async with office.rows.ledger.read() as session:
            assert await documents.first_changed(session, approval_id) is None
        tamper(office.rows.url, statement)
        async with office.rows.ledger.read() as session:
            found = await documents.first_changed(session, approval_id)
    assert found == f"{approval_id}: the bytes of document {added.document_id} are not those that were added"


async def test_a_request_without_documents_has_none_that_changed(tmp_path: Any) -> None:
    async with open_office(await fresh_sqlite(tmp_path)) as office:
        approval_id = await office.asked()
        async with office.rows.ledger.read() as session:
            assert await documents.of_approval(session, approval_id) == []
            assert await documents.first_changed(session, approval_id) is None


def test_every_kind_is_one_that_the_table_takes() -> None:
    (check,) = [
        str(one.sqltext)
        for one in documents.DocumentRow.__table__.constraints  # type: ignore[attr-defined]
        if one.name == "documents_kind"
    ]
    assert all(f"'{kind.value}'" in check for kind in DocumentKind)
