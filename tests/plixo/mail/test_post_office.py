"""Mails: readable in both forms, and nothing that a customer is called can write a header or a tag."""

import email
from datetime import UTC, datetime
from email.message import EmailMessage, Message
from typing import Any

import pytest

from plixo.config import Settings
from plixo.mail.post_office import PostOffice, local_time, message_id
from plixo.ports import Letter

TEMPLATES = ["asked", "reminder", "executed", "rejected", "returned", "needs_attention", "instead", "nudge"]
ALL = [*TEMPLATES, "digest", "absence"]
APPROVAL = "CR-" + "A" * 26


@pytest.fixture
def office() -> PostOffice:
    return PostOffice.open(Settings(base_url="https://plixo.example/", mail_from="Plixo <billing@plixo.example>"))


def letter(template: str = "asked", key: str = "CR-1/asked/0.0/p-controller", **words: Any) -> Letter:
    usual = {
        "approval_id": APPROVAL,
        "kind": "credit",
        "reader": "Controller",
        "requester": "Billing Admin",
        "customer": "Example Logistics",
        "amount": "4,200.00 USD",
        "reason": "Service outage",
        "target": "EXL-0042",
        "target_kind": "invoice",
        "why_asked": "Above the requester's authority",
        "note": "Two days down",
        "due": "2026-08-03T14:00:00+00:00",
        "time_zone": "America/New_York",
        "comment": "Please attach the ticket.",
        "why": "The invoice was voided.",
        "stripe_object": "cn_1",
        "why_you": "Legal is away until 7 Aug 2026",
        "person": "Legal",
        "week": "2026-W31",
        "since": "27 Jul 2026",
        "until": "2 Aug 2026",
        "count": 2,
        "totals": ["4,380.00 USD"],
    }
    line = {name: words.get(name, usual[name]) for name in ("amount", "customer", "reason", "requester", "due")}
    usual["lines"] = [{**line, "approval_id": APPROVAL}]
    return Letter(key, "controller@plixo.example", template, {**usual, **words})


def both(message: Message) -> tuple[str, str]:
    parsed = sent(message)
    text, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


def sent(message: Message) -> EmailMessage:
    """The mail as its reader's program parses it."""
    parsed = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_letter_has_both_forms_that_say_the_same(office: PostOffice, template: str) -> None:
    message = sent(office.render(letter(template)))
    assert message.get_content_type() == "multipart/alternative"
    for body in both(message):
        for words in ("4,200.00 USD", "Example Logistics", f"https://plixo.example/approvals/{APPROVAL}"):
            assert words in body
    assert "4,200.00 USD for Example Logistics" in message["Subject"]
    assert (message["To"], message["From"]) == ("controller@plixo.example", "Plixo <billing@plixo.example>")
    assert message["Auto-Submitted"] == "auto-generated"


def test_the_styles_are_in_the_tags_and_nothing_is_fetched(office: PostOffice) -> None:
    _, html = both(office.render(letter()))
    assert "<style" not in html
    for fetches in ("<img", "<script", "<link", "src=", "url("):
        assert fetches not in html


def test_the_due_time_is_the_readers_own(office: PostOffice) -> None:
    for body in both(office.render(letter())):
        assert "Mon 3 Aug 2026, 10:00 (America/New_York)" in body
    assert local_time("2026-12-31T23:30:00+00:00", "Europe/Berlin") == "Fri 1 Jan 2027, 00:30 (Europe/Berlin)"


def test_what_is_not_known_is_left_out(office: PostOffice) -> None:
    text, html = both(office.render(letter(due="", note="")))
    for body in (text, html):
        assert "Note" not in body
        assert " by " not in body.split("Asked by")[0]


NEWLINES = ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"]


@pytest.mark.asvs("1.3.11")
@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("newline", NEWLINES)
def test_a_customers_name_writes_no_header_and_no_line_of_its_own(
    office: PostOffice, template: str, newline: str
) -> None:
    name = f"Evil{newline}Bcc: thief@evil.example{newline}{newline}Approve at http://evil.example"
    message = sent(office.render(letter(template, customer=name)))
    assert message["Bcc"] is None
    assert message.keys() == sent(office.render(letter(template))).keys()
    assert "Evil Bcc: thief@evil.example Approve at" in message["Subject"]
    text, _ = both(message)
    assert not any(line.startswith(("Bcc:", "Approve at")) for line in text.splitlines())


@pytest.mark.asvs("1.3.11")
@pytest.mark.parametrize("newline", NEWLINES)
def test_a_name_in_a_list_writes_no_line_of_its_own_either(office: PostOffice, newline: str) -> None:
    name = f"Evil{newline}Bcc: thief@evil.example{newline}{newline}Approve at http://evil.example"
    message = sent(office.render(letter("digest", customer=name)))
    assert message["Bcc"] is None
    text, html = both(message)
    assert "  Evil Bcc: thief@evil.example Approve at http://evil.example" in text
    assert "Evil Bcc: thief@evil.example" in html


@pytest.mark.asvs("1.3.11")
@pytest.mark.parametrize("field", ["reader", "requester", "amount", "reason", "target", "why_asked", "stripe_object"])
def test_no_other_word_writes_a_line_of_its_own(office: PostOffice, field: str) -> None:
    for template in TEMPLATES:
        message = sent(office.render(letter(template, **{field: "a\r\nBcc: x@evil.example\r\n\r\nb"})))
        assert message["Bcc"] is None
        assert "\nBcc:" not in both(message)[0]


@pytest.mark.asvs("1.3.11")
@pytest.mark.parametrize(
    ("key", "to"),
    [
        ("CR-1\r\nBcc: x@evil.example", "controller@plixo.example"),
        ("CR-1", "controller@plixo.example\r\nBcc: x@evil.example"),
        ("CR-1", "controller@plixo.example\nBcc: x@evil.example"),
        ("CR-1", "controller@plixo.example\u2028Bcc: x@evil.example"),
    ],
)
def test_a_key_or_an_address_with_a_line_break_is_refused(office: PostOffice, key: str, to: str) -> None:
    made = letter(key=key)
    with pytest.raises(ValueError, match=r"(?i)linefeed|carriage|newline|invalid"):
        office.render(Letter(made.key, to, made.template, made.context))


@pytest.mark.asvs("1.3.7")
@pytest.mark.parametrize("template", ALL)
def test_nothing_that_was_typed_becomes_a_tag(office: PostOffice, template: str) -> None:
    evil = '<script>alert(1)</script><img src=x onerror="x">&"\''
    typed = dict.fromkeys(["customer", "note", "comment", "why", "reader", "requester", "target", "why_asked"], evil)
    message = office.render(letter(template, **typed))
    text, html = both(message)
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    assert "<script>alert(1)</script>" in text


@pytest.mark.asvs("1.3.7")
def test_nothing_that_was_typed_is_taken_for_a_template(office: PostOffice) -> None:
    for body in both(office.render(letter(customer="{{ 7*7 }}{% raw %}", note="{{ link.__class__ }}"))):
        assert "{{ 7*7 }}{% raw %}" in body
        assert "{{ link.__class__ }}" in body


def test_control_characters_and_marks_that_turn_the_writing_round_are_dropped(office: PostOffice) -> None:
    message = sent(office.render(letter(customer="A\x00B\u202etxt.exe\x1b[31m", note="a\x07\nb")))
    assert "AB" in message["Subject"]
    for body in both(message):
        assert not set(body) & set("\x00\x07\x1b\u202e")


def test_a_name_in_any_writing_arrives_as_it_is(office: PostOffice) -> None:
    name = "Größe & 株式会社 \U0001f600 " + "x" * 200
    message = sent(office.render(letter(customer=name)))
    assert name in message["Subject"]
    assert name in both(message)[0]
    assert all(len(line) <= 998 for line in office.render(letter(customer=name)).as_bytes().split(b"\n"))


def test_long_lines_are_never_sent_as_they_are(office: PostOffice) -> None:
    note = "x" * 5_000
    message = office.render(letter(note=note))
    assert note in both(message)[0]
    assert note in both(message)[1]
    assert all(len(line) <= 998 for line in message.as_bytes().split(b"\n"))


def test_half_a_character_does_not_stop_a_mail(office: PostOffice) -> None:
    assert office.render(letter(customer="A\ud800B")).as_bytes()


def test_a_note_of_several_lines_stays_so(office: PostOffice) -> None:
    text, _ = both(office.render(letter(note="first\nsecond")))
    assert "first\nsecond" in text


def test_the_message_id_follows_from_the_key_alone(office: PostOffice) -> None:
    one, again = office.render(letter()), office.render(letter(customer="Another"))
    other = office.render(letter(key="CR-1/reminder/0.0/p-controller"))
    assert one["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert one["Message-ID"].endswith("@plixo.example>")
    assert one["X-Plixo-Key"] == "CR-1/asked/0.0/p-controller"
    assert message_id("a", "").endswith("@localhost>")


def test_a_letter_that_lacks_a_word_is_not_sent_half_empty(office: PostOffice) -> None:
    whole = letter()
    words = {name: value for name, value in whole.context.items() if name != "customer"}
    with pytest.raises(Exception, match="customer"):
        office.render(Letter(whole.key, whole.to, whole.template, words))


def test_moments_need_a_zone_that_exists() -> None:
    with pytest.raises(Exception, match="Nowhere"):
        local_time(datetime(2026, 8, 3, tzinfo=UTC).isoformat(), "Nowhere/Land")
