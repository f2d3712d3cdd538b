"""What the independent checker says of documents: nothing while all is well, and what it is of each planted fault."""

from pathlib import Path

import pytest

from demo.check_database import read_house
from demo.check_documents import check_documents
from plixo.store.documents import PART
from plixo.store.migrate import upgrade
from starters.documents import Adding, add_document
from tests.support.desk import open_office
from tests.support.rows import fresh_sqlite, tamper

CONTENT = b"%PDF-" + bytes(range(256)) * (PART // 128)


async def added(url: str) -> str:
    """A request with two documents; its id."""
    async with open_office(url) as office:
        approval_id = await office.asked()
        for content in (CONTENT, b"As agreed."):
            await add_document(office.desk, approval_id, Adding(office.rows.people["billing_admin"], "mail", content))
    return approval_id


async def test_nothing_is_found_where_all_is_well(database_url: str) -> None:
    await upgrade(database_url)
    await added(database_url)
    house = read_house(database_url)
    assert {row["content"] for row in house.documents} == {CONTENT, b"As agreed."}

    assert list(check_documents(house)) == []


PLANTED = [
    ("a changed byte", "update document_parts set content = x'00' where position = 1", {"altered"}),
    ("text instead of bytes", "update document_parts set content = 'text' where position = 1", {"altered"}),
    ("a part that is gone", "delete from document_parts where position = 2", {"altered"}),
    ("a document that is gone", "delete from documents where kind = 'text'", {"missing"}),
    ("another name", "update documents set name = 'other.pdf' where kind = 'pdf'", {"missing", "untold"}),
    ("another person", "update documents set person_id = 'p-cfo' where kind = 'pdf'", {"missing", "untold"}),
    ("another size", "update documents set size = 7 where kind = 'text'", {"missing", "untold", "altered"}),
    ("an entry that is gone", "delete from audit where event = 'document_added' and seq = 3", {"untold"}),
    ("an entry that is none", "update audit set detail = '7' where event = 'document_added'", {"untold"}),
]


@pytest.mark.parametrize(("statement", "found"), [pytest.param(*rest, id=name) for name, *rest in PLANTED])
async def test_each_planted_fault_is_found(tmp_path: Path, statement: str, found: set[str]) -> None:
    url = await fresh_sqlite(tmp_path)
    approval_id = await added(url)
    tamper(url, statement)
    findings = list(check_documents(read_house(url)))
    assert {one.what for one in findings} == {f"document_{what}" for what in found}
    assert {one.approval_id for one in findings} == {approval_id}
