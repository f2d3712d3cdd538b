import mailbox
import smtplib
from email.message import EmailMessage
from pathlib import Path

import pytest

from demo.mailbox import REPEATED, open_mailbox
from demo.places import Ports


def send(port: int, message_id: str, words: str = "") -> None:
    mail = EmailMessage()
    mail["Message-ID"] = message_id
    mail["From"], mail["To"] = "plixo@plixo.example", "controller@plixo.example"
    mail.set_content(words)
    with smtplib.SMTP("127.0.0.1", port) as relay:
        relay.send_message(mail)


@pytest.fixture
def port() -> int:
    return Ports.free().smtp


def test_a_mail_that_is_sent_again_is_read_once(tmp_path: Path, port: int) -> None:
    with open_mailbox(tmp_path / "box", port):
        for message_id in ("<1@plixo>", "<2@plixo>", "<1@plixo>"):
            send(port, message_id)

    box = mailbox.Maildir(tmp_path / "box")
    assert sorted(mail["Message-ID"] for mail in box) == ["<1@plixo>", "<2@plixo>"]
    assert [mail["Message-ID"] for mail in box.get_folder(REPEATED)] == ["<1@plixo>"]


def test_what_arrived_before_a_restart_is_known(tmp_path: Path, port: int) -> None:
    for _ in range(2):
        with open_mailbox(tmp_path / "box", port):
            send(port, "<1@plixo>")

    box = mailbox.Maildir(tmp_path / "box")
    assert (len(box), len(box.get_folder(REPEATED))) == (1, 1)


def test_mails_without_a_message_id_are_all_kept(tmp_path: Path, port: int) -> None:
    with open_mailbox(tmp_path / "box", port):
        for words in ("one", "two"):
            send(port, "", words)

    assert len(mailbox.Maildir(tmp_path / "box")) == 2
