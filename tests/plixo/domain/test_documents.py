import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.documents import (
    MAX_BYTES,
    MAX_NAME,
    MOST,
    DocumentKind,
    check_room,
    check_size,
    document_id,
    document_name,
    is_document_id,
    size_text,
)
from plixo.domain.refusals import Refused

PDF, PNG, JPEG, TEXT = DocumentKind.PDF, DocumentKind.PNG, DocumentKind.JPEG, DocumentKind.TEXT

TAKEN = [
    ("a PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n...%%EOF", PDF),
    ("a PNG", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", PNG),
    ("a JPEG", b"\xff\xd8\xff\xe0\x00\x10JFIF", JPEG),
    ("a JPEG of a camera", b"\xff\xd8\xff\xe1\x00\x10Exif", JPEG),
    ("text", b"Two days down, as agreed.\r\n\tThanks\f", TEXT),
    ("text of one letter", b"a", TEXT),
    ("text with a byte order mark", b"\xef\xbb\xbfG\xc3\xbcnther", TEXT),
    ("a table", b"invoice,amount\nINV-1,-4.20\n", TEXT),
    ("text that starts like a program", b"MZ is how programs begin", TEXT),
    ("text that starts like an archive", b"PK is how archives begin", TEXT),
    ("text with a smaller sign", b"if a < b, then <a@example.com> is right; 3<4", TEXT),
    ("text that begins with a heart", b"<3 from all of us", TEXT),
]


@pytest.mark.asvs("5.2.2")
@pytest.mark.parametrize(("content", "kind"), [pytest.param(*rest, id=name) for name, *rest in TAKEN])
def test_a_document_is_what_its_bytes_are(content: bytes, kind: DocumentKind) -> None:
    assert DocumentKind.of(content) is kind


OFFICE, ARCHIVE = "; this looks like an Office file.", "; this looks like an Office file or an archive."
PRINT, SAVE = " Print it to a PDF.", " Save it as UTF-8 (in a spreadsheet: CSV UTF-8)."
MARKUP = "; this looks like a web page, SVG or other markup." + PRINT
REFUSED = [
    ("a Windows program", b"MZ\x90\x00\x03", "; this looks like a Windows program."),
    ("a Linux program", b"\x7fELF\x02\x01\x01", "; this looks like a program."),
    ("a Java class", b"\xca\xfe\xba\xbe\x00\x00", "; this looks like a program."),
    ("a Mac program", b"\xcf\xfa\xed\xfe\x07\x00", "; this looks like a program."),
    ("Word with macros", b"PK\x03\x04\x14\x00word/vbaProject.bin", ARCHIVE + PRINT),
    ("old Word", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", OFFICE + PRINT),
    ("rich text", b"{\\rtf1\\ansi hello}", OFFICE + PRINT),
    ("RAR", b"Rar!\x1a\x07\x00", "; this looks like an archive."),
    ("7-Zip", b"7z\xbc\xaf\x27\x1c\x00", "; this looks like an archive."),
    ("gzip", b"\x1f\x8b\x08\x00", "; this looks like an archive."),
    ("UTF-16", b"\xff\xfeh\x00i\x00", "; this looks like UTF-16 text." + SAVE),
    ("UTF-16 the other way round", b"\xfe\xff\x00h\x00i", "; this looks like UTF-16 text." + SAVE),
    ("UTF-16 without a zero", b"\xff\xfe\x41\x42", "; this looks like UTF-16 text." + SAVE),
    ("Latin-1", b"G\xfcnther", "; this looks like text that is not UTF-8." + SAVE),
    ("a GIF", b"GIF89a\x01\x00", "."),
    ("half a PNG signature", b"\x89PNG\r\n\x1a", "."),
    ("half a JPEG signature", b"\xff\xd8", "; this looks like text that is not UTF-8." + SAVE),
    ("NUL", b"hello\x00", "."),
    ("an escape to the terminal", b"\x1b[31mred", "."),
    ("a delete", b"a\x7fb", "."),
    ("a PDF behind a space", b" %PDF-1.7\n\x00", "."),
    ("HTML", b"<!DOCTYPE html><html></html>", MARKUP),
    ("HTML behind blanks", b"\n\t  <p>hello", MARKUP),
    ("HTML behind a byte order mark", b"\xef\xbb\xbf<html>", MARKUP),
    ("a comment", b"<!-- --><script>alert(1)</script>", MARKUP),
    ("the end of a tag", b"</script>", MARKUP),
    ("SVG", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', MARKUP),
    ("XML", b"<Document/>", MARKUP),
    ("a script behind words", b"Dear all, <ScRiPt src=x>", MARKUP),
    ("SVG behind words", b"see <svg onload=alert(1)>", MARKUP),
    ("a page behind words", b"see <html >", MARKUP),
    ("a frame behind words", b"see <IFRAME src=x>", MARKUP),
    ("a document type behind words", b"see <!doctype html>", MARKUP),
    ("a page that starts like a program", b"MZ <script>alert(1)</script>", MARKUP),
]  # fmt: skip


@pytest.mark.asvs("5.2.2")
@pytest.mark.parametrize(("content", "said"), [pytest.param(*rest, id=name) for name, *rest in REFUSED])
def test_what_is_none_of_these_is_refused_by_the_field_with_what_to_do(content: bytes, said: str) -> None:
    with pytest.raises(Refused) as caught:
        DocumentKind.of(content)
    (problem,) = caught.value.problems
    assert (problem.field, problem.code) == ("document", "document_type")
    assert problem.message == f"A document is PDF, PNG, JPEG, plain text or CSV{said}"


@pytest.mark.parametrize("control", sorted(set(range(32)) - {9, 10, 12, 13}))
def test_no_control_character_is_text(control: int) -> None:
    with pytest.raises(Refused):
        DocumentKind.of(b"ab" + bytes([control]) + b"cd")


@pytest.mark.asvs("5.2.1")
def test_ten_mebibytes_is_the_most_and_one_byte_the_least() -> None:
    assert MAX_BYTES == 10 * 1024 * 1024
    for size in (1, MAX_BYTES):
        check_size(size)
    assert DocumentKind.of(b"%PDF-" + bytes(MAX_BYTES - 5)) is PDF
    for content, code, said in (
        (b"", "document_empty", "The file is empty; choose one with PDF, PNG, JPEG, plain text or CSV in it."),
        (bytes(MAX_BYTES + 1), "document_too_large", "A document has 10 MiB at most; send a smaller one."),
    ):
        with pytest.raises(Refused) as caught:
            DocumentKind.of(content)
        assert [(one.field, one.code, one.message) for one in caught.value.problems] == [("document", code, said)]


def test_a_request_has_twenty_at_most() -> None:
    assert MOST == 20
    check_room(19)
    with pytest.raises(Refused) as caught:
        check_room(20)
    (problem,) = caught.value.problems
    assert (problem.field, problem.code) == ("document", "documents_full")
    assert problem.message == "A request has 20 documents at most; put several into one PDF."


def test_the_same_bytes_on_the_same_request_have_one_id() -> None:
    first = document_id("CR-1", "ab")
    assert first == document_id("CR-1", "ab") == "DO-SZX2QATGGPLJOH4SOKIPMMOGX6"
    assert len({first, document_id("CR-2", "ab"), document_id("CR-1", "abc"), document_id("CR-1/a", "b")}) == 4
    assert is_document_id(first)
    for text in ("", "DO-", first.lower(), first[:-1], f"{first}A", f"{first}\n", "CR-" + first[3:], "DO-" + "1" * 26):
        assert not is_document_id(text)


@pytest.mark.parametrize(
    ("kind", "label", "media_type", "ending"),
    [
        (PDF, "PDF", "application/pdf", ".pdf"),
        (PNG, "PNG", "image/png", ".png"),
        (JPEG, "JPEG", "image/jpeg", ".jpg"),
        (TEXT, "Text", "text/plain; charset=utf-8", ".txt"),
    ],
    ids=str,
)
def test_each_kind_is_served_as_one_type(kind: DocumentKind, label: str, media_type: str, ending: str) -> None:
    assert (kind.label, kind.media_type, kind.endings[0]) == (label, media_type, ending)


NAMES = [
    ("contract.pdf", PDF, "contract.pdf"),
    ("Contract.PDF", PDF, "Contract.pdf"),
    ("photo.jpeg", JPEG, "photo.jpeg"),
    ("amounts.csv", TEXT, "amounts.csv"),
    ("amounts.csv", PDF, "amounts.csv.pdf"),
    ("invoice.pdf.exe", PDF, "invoice.pdf.exe.pdf"),
    ("page.html", TEXT, "page.html.txt"),
    ("../../etc/passwd", TEXT, "passwd.txt"),
    ("C:\\Users\\me\\Scan 1.png", PNG, "Scan 1.png"),
    ("a/b\\c.pdf", PDF, "c.pdf"),
    ("", PDF, "document.pdf"),
    ("  ", PDF, "document.pdf"),
    (".pdf", PDF, "pdf.pdf"),
    ("...", TEXT, "document.txt"),
    ("a...pdf", PDF, "a.pdf"),
    (".htaccess", TEXT, "htaccess.txt"),
    ("-rf.pdf", PDF, "rf.pdf"),
    ("~root.pdf", PDF, "root.pdf"),
    ("CON", TEXT, "_CON.txt"),
    ("con.pdf", PDF, "_con.pdf"),
    ("nul.tar.pdf", PDF, "_nul.tar.pdf"),
    ("Lpt1.pdf", PDF, "_Lpt1.pdf"),
    ("COM0.pdf", PDF, "_COM0.pdf"),
    ("icon.pdf", PDF, "icon.pdf"),
    ("contract", PDF, "contract.pdf"),
    ("console.pdf", PDF, "console.pdf"),
    ('a<b>c:d"e|f?g*h.pdf', PDF, "a_b_c_d_e_f_g_h.pdf"),
    ("a\r\nContent-Type: text.pdf", PDF, "a Content-Type_ text.pdf"),
    ("a\x00b\x07c\x7f.pdf", PDF, "abc.pdf"),
    ("fdp\u202e.pdf", PDF, "fdp.pdf"),
    ("a\u200bb\ufeff.pdf", PDF, "ab.pdf"),
    ("a \t\u00a0\u2028 b.pdf", PDF, "a b.pdf"),
    ("a\ud800b.pdf", PDF, "ab.pdf"),
    ("a\ue000b.pdf", PDF, "ab.pdf"),
    ("u\u0308ber.pdf", PDF, "\u00fcber.pdf"),
    ("契約書.pdf", PDF, "契約書.pdf"),
    ("=cmd().csv", TEXT, "=cmd().csv"),
    ("x" * 300 + ".pdf", PDF, "x" * 96 + ".pdf"),
    ("x" * 95 + ". y.pdf", PDF, "x" * 95 + ".pdf"),
    ("x" * 96 + ".pdf", PDF, "x" * 96 + ".pdf"),
]


@pytest.mark.asvs("5.4.1")
@pytest.mark.parametrize(("said", "kind", "name"), [pytest.param(*one, id=str(at)) for at, one in enumerate(NAMES)])
def test_a_name_is_made_harmless_and_ends_as_what_it_is(said: str, kind: DocumentKind, name: str) -> None:
    assert document_name(said, kind) == name


@given(said=st.text(max_size=300), kind=st.sampled_from(DocumentKind))
def test_whatever_a_file_was_called_its_name_can_be_shown_sent_and_written(said: str, kind: DocumentKind) -> None:
    name = document_name(said, kind)
    assert len(name) <= MAX_NAME
    assert name.encode()
    assert name.lower().endswith(kind.endings)
    assert not re.search(r'[<>:"/\\|?*]', name)
    assert not {unicodedata.category(letter) for letter in name} & {"Cc", "Cf", "Cs"}
    assert name == name.strip()
    assert name[0] not in ".-~"
    assert document_name(name, kind) == name, "cleaned once, it stays as it is"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (1, "1 byte"),
        (2, "2 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1025, "2 KiB"),
        (1024 * 1024 - 1, "1024 KiB"),
        (1024 * 1024, "1.0 MiB"),
        (1024 * 1024 + 1, "1.1 MiB"),
        (MAX_BYTES, "10.0 MiB"),
    ],
)
def test_a_size_reads_as_people_say_it_and_never_less_than_it_is(size: int, text: str) -> None:
    assert size_text(size) == text
