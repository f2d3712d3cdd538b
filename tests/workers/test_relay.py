"""The outbox relay, against a real SMTP server and one that is away."""

import asyncio
import mailbox
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.mailbox import REPEATED, open_mailbox
from plixo.config import Settings
from plixo.mail.post_office import PostOffice
from plixo.ports import Letter
from plixo.store import outbox
from plixo.store.models import OutboxRow
from tests.support.rows import Rows
from workers import relay
from workers.relay import LEASE, SEND_SECONDS, relay_once, relay_what_gathered


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class Mail:
    """A mailbox on loopback, and the office that writes to it."""

    folder: Path
    port: int

    @property
    def office(self) -> PostOffice:
        return PostOffice.open(Settings(smtp_url=f"smtp://127.0.0.1:{self.port}", base_url="http://127.0.0.1"))

    def arrived(self) -> list[mailbox.MaildirMessage]:
        """Every mail that came, those among them that the mailbox put aside because they had come before."""
        box = mailbox.Maildir(self.folder)
        again = box.get_folder(REPEATED) if REPEATED in box.list_folders() else ()
        return sorted([*box, *again], key=lambda mail: str(mail["X-Plixo-Key"]))

    def keys(self) -> list[str]:
        return [str(mail["X-Plixo-Key"]) for mail in self.arrived()]


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Mail]:
    found = Mail(tmp_path / "mailbox", free_port())
    with open_mailbox(found.folder, found.port):
        yield found


async def post(rows: Rows, *keys: str, **changed: Any) -> None:
    context = {
        "approval_id": "CR-1",
        "reader": "Controller",
        "requester": "Billing Admin",
        "customer": "Example Logistics",
        "amount": "4,200.00 USD",
        "reason": "Goodwill",
        "target": "EXL-0042",
        "target_kind": "invoice",
        "why_asked": "Above authority",
        "note": "",
        "due": "",
        "time_zone": "UTC",
        "comment": "",
        "why": "",
        "stripe_object": "",
    }
    async with rows.ledger.begin() as tx:
        for key in keys:
            letter = Letter(key, "controller@plixo.example", "asked", context)
            await tx.post(replace(letter, **changed), rows.clock())


async def row(rows: Rows, key: str) -> OutboxRow:
    async with rows.ledger.read() as session:
        return await session.get_one(OutboxRow, key)


async def carry(office: PostOffice, letter: Letter) -> None:
    async with office.round() as carried:
        await carried.send(letter)


async def test_what_is_in_the_outbox_arrives_once(rows: Rows, mail: Mail) -> None:
    await post(rows, "a", "b")
    assert await relay_once(rows.ledger, mail.office, rows.clock) == 2
    assert await relay_once(rows.ledger, mail.office, rows.clock) == 0
    rows.clock.forward(days=1)
    assert await relay_once(rows.ledger, mail.office, rows.clock) == 0
    assert mail.keys() == ["a", "b"]
    assert (await row(rows, "a")).sent_at is not None


async def test_the_relay_rests_once_it_has_taken_what_was_there(rows: Rows, mail: Mail) -> None:
    await post(rows, *(f"{number:02}" for number in range(outbox.AT_ONCE + 2)))
    assert await relay_what_gathered(rows.ledger, mail.office, rows.clock) == outbox.AT_ONCE
    assert await relay_what_gathered(rows.ledger, mail.office, rows.clock) == 0
    assert len(mail.keys()) == outbox.AT_ONCE + 2


async def test_the_same_key_is_one_mail(rows: Rows, mail: Mail) -> None:
    for _ in range(3):
        await post(rows, "a")
        await relay_once(rows.ledger, mail.office, rows.clock)
    assert mail.keys() == ["a"]


async def test_while_the_server_is_away_mails_wait_and_leave_when_it_is_back(rows: Rows, tmp_path: Path) -> None:
    mail = Mail(tmp_path / "mailbox", free_port())
    await post(rows, "a", "b")
    assert await relay_once(rows.ledger, mail.office, rows.clock) == 2
    kept = await row(rows, "a")
    assert kept.sent_at is None
    assert "SMTPConnectError" in kept.problem
    with open_mailbox(mail.folder, mail.port):
        assert await relay_once(rows.ledger, mail.office, rows.clock) == 0, "it rests a little first"
        rows.clock.forward(seconds=3)
        assert await relay_once(rows.ledger, mail.office, rows.clock) == 2
        assert mail.keys() == ["a", "b"]
    assert (await row(rows, "a")).problem == ""


@pytest.mark.parametrize(
    "broken",
    [
        {"template": "no-such-template"},
        {"context": {}},
        {"context": {"approval_id": "CR-1"}},
        {"to": "x@plixo.example\nBcc: thief@evil.example"},
        {"to": ""},
    ],
)
async def test_a_mail_that_cannot_be_written_stops_itself_alone(rows: Rows, mail: Mail, broken: dict[str, Any]) -> None:
    await post(rows, "0-broken", **broken)
    await post(rows, "a", "b")
    assert await relay_once(rows.ledger, mail.office, rows.clock) == 3
    assert mail.keys() == ["a", "b"]
    kept = await row(rows, "0-broken")
    assert (kept.sent_at, kept.problem != "") == (None, True)


async def test_killed_between_sending_and_marking_a_mail_repeats_once_its_lease_ends_with_the_same_message_id(
    rows: Rows, mail: Mail
) -> None:
    """A mail server cannot be asked what it took; who reads twice sees one mail, since its Message-ID is the same."""
    await post(rows, "a")
    async with rows.ledger.begin() as tx:
        (letter,) = await outbox.lease(tx.session, rows.clock(), LEASE)
    await carry(mail.office, letter)  # and the process dies here
    rows.clock.forward(seconds=LEASE.total_seconds())
    assert await relay_once(rows.ledger, mail.office, rows.clock) == 0
    rows.clock.forward(seconds=1)
    assert await relay_once(rows.ledger, mail.office, rows.clock) == 1
    rows.clock.forward(days=1)
    assert await relay_once(rows.ledger, mail.office, rows.clock) == 0
    first, second = mail.arrived()
    assert first["Message-ID"] == second["Message-ID"]


async def test_two_relays_at_once_send_no_mail_twice(rows: Rows, mail: Mail) -> None:
    keys = [f"k{number:02}" for number in range(30)]
    await post(rows, *keys)
    for _ in range(2):
        await asyncio.gather(*(relay_once(rows.ledger, mail.office, rows.clock) for _ in range(3)))
    assert mail.keys() == keys


async def test_a_slow_server_never_makes_a_relay_outlive_its_lease(rows: Rows, mail: Mail) -> None:
    """The second relay takes over what the first let go of, and nothing of what it still holds."""
    keys = [f"k{number:02}" for number in range(20)]
    await post(rows, *keys)
    office = mail.office

    class Slow:
        @asynccontextmanager
        async def round(self) -> AsyncIterator["Slow"]:
            yield self

        async def send(self, letter: Letter) -> None:
            rows.clock.forward(seconds=20)
            if rows.clock() > began + LEASE:
                await relay_once(rows.ledger, office, rows.clock)
            await carry(office, letter)

    began = rows.clock()
    tried = await relay_once(rows.ledger, Slow(), rows.clock)  # type: ignore[arg-type]
    assert 0 < tried < len(keys)
    rows.clock.forward(seconds=LEASE.total_seconds())
    await relay_once(rows.ledger, office, rows.clock)
    assert mail.keys() == keys


async def test_a_server_that_says_nothing_is_given_up_well_within_the_lease(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert timedelta(seconds=SEND_SECONDS) <= LEASE / 2
    monkeypatch.setattr(relay, "SEND_SECONDS", 0.2)
    released = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await post(rows, "a")
    office = PostOffice.open(Settings(smtp_url=f"smtp://127.0.0.1:{port}"))
    assert await asyncio.wait_for(relay_once(rows.ledger, office, rows.clock), 5) == 1
    assert (await row(rows, "a")).problem.startswith("TimeoutError")
    released.set()
    server.close()


@dataclass
class Gate:
    """A mail server that takes every mail, counts connections, and can hang up after a mail.

    Attributes:
        hangs_up_after: Ends a connection instead of answering its mail of this number.
        connections: How many there were.
        taken: The keys of the mails that were taken.
    """

    hangs_up_after: int = 0
    connections: int = 0
    taken: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        mails = 0
        writer.write(b"220 gate\r\n")
        while (line := (await reader.readline()).strip()) and line != b"QUIT":
            if line == b"DATA":
                mails += 1
                writer.write(b"354 go on\r\n")
                mail = (await reader.readuntil(b"\r\n.\r\n")).decode()
                if mails == self.hangs_up_after:
                    break
                self.taken.append(mail.partition("X-Plixo-Key: ")[2].split()[0])
            writer.write(b"250 fine\r\n")
        if line == b"QUIT":
            writer.write(b"221 bye\r\n")
        writer.close()


@asynccontextmanager
async def gate(hangs_up_after: int = 0) -> AsyncIterator[tuple[Gate, PostOffice]]:
    found = Gate(hangs_up_after)
    async with await asyncio.start_server(found.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield found, PostOffice.open(Settings(smtp_url=f"smtp://127.0.0.1:{port}"))


async def test_mails_that_leave_together_share_a_connection(rows: Rows) -> None:
    await post(rows, "a", "b", "c")
    async with gate() as (server, office):
        assert await relay_once(rows.ledger, office, rows.clock) == 3
        assert (server.connections, server.taken) == (1, ["a", "b", "c"])


async def test_without_a_mail_nobody_is_called(rows: Rows) -> None:
    async with gate() as (server, office):
        assert await relay_once(rows.ledger, office, rows.clock) == 0
        assert server.connections == 0


async def test_a_server_that_hangs_up_in_between_keeps_only_that_mail_waiting(rows: Rows) -> None:
    await post(rows, "a", "b", "c")
    async with gate(hangs_up_after=2) as (server, office):
        assert await relay_once(rows.ledger, office, rows.clock) == 3
        assert (server.connections, server.taken) == (2, ["a", "c"])
        rows.clock.forward(seconds=3)
        assert await relay_once(rows.ledger, office, rows.clock) == 1
        assert server.taken == ["a", "c", "b"]


async def test_each_mail_is_marked_before_the_next_one_leaves(rows: Rows) -> None:
    """Who dies in between sends one mail again at most."""
    await post(rows, "a", "b")
    marked: list[bool] = []
    async with gate() as (_, office):

        class Watched:
            @asynccontextmanager
            async def round(self) -> AsyncIterator["Watched"]:
                yield self

            async def send(self, letter: Letter) -> None:
                if letter.key == "b":
                    marked.append((await row(rows, "a")).sent_at is not None)
                await carry(office, letter)

        await relay_once(rows.ledger, Watched(), rows.clock)  # type: ignore[arg-type]
    assert marked == [True]
