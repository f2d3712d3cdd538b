"""What an import sends, how patient it is, and what it says: before an API that is played."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from plixo.domain.credit_sheet import read_sheet
from starters.cli.import_courier import PATIENCE
from starters.cli.import_rows import AT_A_TIME, FAILED_IN_A_ROW
from starters.cli.world import WORLD, World
from tests.starters.cli.conftest import FakeApi, Ran

Plixo = Callable[..., Ran]
HEADER = "customer,amount,currency,reason,note\n"
REFUSAL = {
    "code": "customer_unknown",
    "message": "Stripe has no customer cus_2.",
    "fields": [{"field": "customer", "code": "customer_unknown", "message": "Stripe has no customer cus_2."}],
    "request_id": "r",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three rows, the second for a customer that there is not."""
    made = tmp_path / "credits.csv"
    made.write_text(HEADER + "".join(f"cus_{number},1.00,USD,goodwill,-5 of them\n" for number in (1, 2, 3)))
    return made


def taking(request: httpx.Request) -> tuple[int, Any]:
    """Takes every row but those for the second customer."""
    body = json.loads(request.content)
    if body["customer"] == "cus_2":
        return 422, {"error": REFUSAL}
    made = {"approval_id": f"CR-{body['customer']}", "state": "routing", "path": ["Controller"], "created": True}
    return 201, made


@pytest.fixture
def taken(api: FakeApi) -> FakeApi:
    api.on("POST", "credits/known", {"known": []})
    api.on("POST", "credits", taking)
    return api


class Turns:
    """Answers one after the other, the last for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def __call__(self, request: httpx.Request) -> tuple[int, Any]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(request) if callable(answer) else answer


def one(file: Path) -> str:
    """The file with its first row alone."""
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:2]))
    return str(file)


def test_each_row_is_sent_as_it_was_typed_and_as_one_of_many(plixo: Plixo, taken: FakeApi, file: Path) -> None:
    plixo("credit", "import", str(file))
    (first, *_) = sorted(taken.bodies("credits"), key=lambda body: str(body["customer"]))
    assert first == {
        "customer": "cus_1",
        "amount": "1.00",
        "currency": "USD",
        "reason": "goodwill",
        "invoice": "",
        "note": "-5 of them",
        "memo": "",
        "request_id": read_sheet(file.read_bytes())[0].request_id,
        "bulk": True,
    }


@pytest.mark.usefixtures("taken")
def test_a_bad_row_stops_only_itself_and_is_named(plixo: Plixo, file: Path) -> None:
    ran = plixo("credit", "import", str(file), "--json")
    assert ran.code == 1
    assert ran.err == ""
    assert ran.document["totals"] == {
        "rows": 3, "created": 2, "already_there": 0, "sound": 0, "refused": 1, "failed": 0, "left": 0
    }  # fmt: skip
    assert (ran.document["paths"], ran.document["problems"]) == ({"Controller": 2}, {"customer_unknown": 1})
    bad = ran.document["rows"][1]
    assert (bad["line"], bad["status"], bad["field"]) == (3, "refused", "customer")
    page = plixo("credit", "import", str(file)).out
    assert "3  refused  customer: Stripe has no customer cus_2." in page
    assert max(len(line) for line in page.partition("\nNext: ")[0].splitlines()[1:]) <= 80


@pytest.mark.usefixtures("taken")
def test_when_every_row_was_taken_it_ends_well(plixo: Plixo, file: Path) -> None:
    assert plixo("credit", "import", one(file)).code == 0


def test_a_dry_run_asks_for_previews_alone(plixo: Plixo, taken: FakeApi, file: Path) -> None:
    seen = {"path": ["automatic"], "duplicates": [{"approval_id": "CR-OLD"}]}
    taken.on("POST", "credits/preview", seen)
    ran = plixo("credit", "import", one(file), "--dry-run", "--json")
    assert ran.code == 0
    assert taken.bodies("credits") == []
    (row,) = ran.document["rows"]
    assert (row["status"], row["path"], row["duplicates"]) == ("sound", ["automatic"], ["CR-OLD"])


def test_what_is_there_already_is_asked_in_one_question_and_not_sent(
    plixo: Plixo, taken: FakeApi, tmp_path: Path
) -> None:
    rows = AT_A_TIME + 1
    file = tmp_path / "many.csv"
    file.write_text(HEADER + "cus_1,1.00,USD,goodwill,\n" * rows)

    def known(request: httpx.Request) -> tuple[int, Any]:
        asked = json.loads(request.content)["request_ids"]
        return 200, {
            "known": [{"request_id": one, "approval_id": "CR-1", "state": "waiting", "path": []} for one in asked]
        }

    taken.on("POST", "credits/known", known)
    ran = plixo("credit", "import", str(file), "--json")
    assert ran.code == 0
    assert ran.document["totals"]["already_there"] == rows
    assert [len(body["request_ids"]) for body in taken.bodies("credits/known")] == [AT_A_TIME, 1]
    assert taken.bodies("credits") == []


def test_an_id_of_the_files_own_is_sent_so_that_what_it_asks_for_is_compared(
    plixo: Plixo, taken: FakeApi, tmp_path: Path
) -> None:
    file = tmp_path / "own.csv"
    file.write_text("request_id,customer,amount,currency,reason\nR-1,cus_1,1,USD,goodwill\n")
    plixo("credit", "import", str(file))
    assert taken.bodies("credits/known") == []
    assert [body["request_id"] for body in taken.bodies("credits")] == ["R-1"]


@pytest.mark.parametrize("status", [429, 503])
def test_an_api_that_is_busy_is_given_the_time_it_asks_for(
    plixo: Plixo, taken: FakeApi, file: Path, status: int
) -> None:
    busy = httpx.Response(status, json={"error": {**REFUSAL, "fields": []}}, headers={"Retry-After": "7"})
    left = [busy, busy]

    def answering(request: httpx.Request) -> httpx.Response:
        return left.pop() if left and request.url.path.endswith("/credits") else taken.handle(request)

    before = WORLD.set(World(httpx.MockTransport(answering), taken.slept.append))
    ran = plixo("credit", "import", one(file), "--json")
    WORLD.reset(before)
    assert ran.document["totals"]["created"] == 1
    assert sum(taken.slept) == 14


@pytest.mark.parametrize(
    "passing",
    [
        (0, httpx.ConnectError("refused")),
        (0, httpx.ReadTimeout("slow")),
        (0, httpx.RemoteProtocolError("cut")),
        (502, "<html>Bad Gateway</html>"),
        (500, {"error": {"code": "internal", "message": "Something went wrong here.", "fields": []}}),
    ],
)
def test_what_passes_is_tried_again_with_the_same_id(plixo: Plixo, taken: FakeApi, file: Path, passing: Any) -> None:
    taken.on("POST", "credits", Turns(passing, passing, taking))
    ran = plixo("credit", "import", one(file), "--json")
    assert ran.document["totals"]["created"] == 1
    assert len(taken.asked) >= 3
    assert sum(taken.slept) == 3, "a second, then two"


def test_a_row_that_the_server_fails_on_stops_only_itself_and_may_be_there(
    plixo: Plixo, taken: FakeApi, file: Path
) -> None:
    broken = {"error": {"code": "internal", "message": "Something went wrong here.", "fields": []}}

    def answer(request: httpx.Request) -> tuple[int, Any]:
        return (500, broken) if json.loads(request.content)["customer"] == "cus_2" else taking(request)

    taken.on("POST", "credits", answer)
    ran = plixo("credit", "import", str(file), "--json")
    assert [row["status"] for row in ran.document["rows"]] == ["created", "failed", "created"]
    assert ran.code == 1


def test_a_server_that_fails_on_everything_is_left_alone(plixo: Plixo, taken: FakeApi, tmp_path: Path) -> None:
    file = tmp_path / "many.csv"
    file.write_text(HEADER + "cus_1,1.00,USD,goodwill,\n" * (FAILED_IN_A_ROW * 3))
    taken.on("POST", "credits", {"error": {"code": "internal", "message": "Broken.", "fields": []}}, 500)
    ran = plixo("credit", "import", str(file), "--json", "--at-once", "1")
    assert ran.document["totals"]["failed"] == FAILED_IN_A_ROW
    assert "in a row failed: Broken." in ran.document["stopped"]


HALTS: list[tuple[Any, str]] = [
    ((401, {"error": {**REFUSAL, "code": "unauthenticated"}}), "Your sign-in has ended; run `plixo login`."),
    ((403, {"error": {"code": "not_requester", "message": "You are Finance.", "fields": []}}), "You are Finance."),
    ((200, "<html>"), "but not as Plixo's API"),
    ((404, {}), "but not as Plixo's API"),
    ((0, httpx.ConnectError("refused")), "Plixo is not running at"),
    ((503, "<html>"), "answers 503"),
]


@pytest.mark.parametrize(("answer", "said"), HALTS)
def test_where_every_row_would_be_told_the_same_it_ends_and_says_how_to_go_on(
    plixo: Plixo, taken: FakeApi, file: Path, answer: Any, said: str
) -> None:
    taken.on("POST", "credits", Turns(taking, answer))
    ran = plixo("credit", "import", str(file), "--at-once", "1")
    assert ran.code == 1
    assert said in " ".join(ran.out.split())
    assert "Asked for 1" in " ".join(ran.out.split())
    assert "Not tried 2" in " ".join(ran.out.split())
    assert "the same command again goes on with what is missing; nothing is asked for twice" in ran.out
    assert sum(taken.slept) <= PATIENCE


@pytest.mark.usefixtures("taken")
def test_bad_rows_are_written_to_be_mended_and_imported_again(plixo: Plixo, file: Path, tmp_path: Path) -> None:
    errors = tmp_path / "bad.csv"
    plixo("credit", "import", str(file), "--errors", str(errors))
    (row,) = read_sheet(errors.read_bytes())
    assert (row.cells["customer"], row.cells["note"]) == ("cus_2", "-5 of them")
    assert "'-5 of them" in errors.read_text()
    assert "3,customer: Stripe has no customer cus_2." in errors.read_text()
    assert row.request_id == read_sheet(file.read_bytes())[1].request_id
    errors.write_text(errors.read_text().replace(",cus_2,", ",cus_3,"))
    assert plixo("credit", "import", str(errors)).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.csv",), "nowhere.csv cannot be read: No such file or directory."),
        ((".",), ". cannot be read: Is a directory."),
        (("a\0b",), "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_in_one_line(
    plixo: Plixo, taken: FakeApi, words: tuple[str, ...], said: str
) -> None:
    ran = plixo("credit", "import", *words)
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err
    assert taken.asked == []


def test_standard_input_is_a_file_too(
    plixo: Plixo, taken: FakeApi, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = tmp_path / "bad.csv"
    errors.touch()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    ran = plixo("credit", "import", "-", "--errors", str(errors), "--json")
    assert ran.document["totals"]["created"] == len(taken.bodies("credits")) - 1
    assert [row.line for row in read_sheet(errors.read_bytes())] == [2]


def test_a_file_whose_header_is_none_sends_nothing(plixo: Plixo, taken: FakeApi, file: Path) -> None:
    file.write_text("customer;amount\n")
    ran = plixo("credit", "import", str(file))
    assert ran.code == 1
    assert "cannot be imported: Line 1: its columns are parted by semicolons" in ran.err
    assert taken.asked == []


def test_the_place_for_bad_rows_is_tried_before_anything_is_sent(
    plixo: Plixo, taken: FakeApi, file: Path, tmp_path: Path
) -> None:
    assert "names the file itself" in plixo("credit", "import", str(file), "--errors", str(file)).err
    nowhere = tmp_path / "no" / "bad.csv"
    assert "cannot be written" in plixo("credit", "import", str(file), "--errors", str(nowhere)).err
    assert file.read_text().startswith(HEADER)
    assert taken.asked == []


def test_another_batch_is_other_requests(plixo: Plixo, taken: FakeApi, file: Path) -> None:
    for batch in ("June", "July", "July"):
        plixo("credit", "import", one(file), "--batch", batch)
    june, july, again = [body["request_id"] for body in taken.bodies("credits")]
    assert june != july == again


@pytest.mark.parametrize("number", ["0", "17", "x"])
def test_how_many_at_once_is_bounded(plixo: Plixo, taken: FakeApi, file: Path, number: str) -> None:
    assert plixo("credit", "import", str(file), "--at-once", number).code == 2
    assert taken.asked == []
