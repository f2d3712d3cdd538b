"""A file of credits: every row known by its line, every request id by what its row says."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plixo.domain import credit_sheet
from plixo.domain.cells import STARTS_FORMULA
from plixo.domain.credit_sheet import (
    COLUMNS,
    LONGEST_CELL,
    MOST_BYTES,
    SheetRow,
    _from,
    _records,
    read_sheet,
    write_bad_rows,
)
from plixo.domain.ids import parse_request_id
from plixo.domain.refusals import Refused

HEADER = "customer,amount,currency,reason,note\n"
GOOD = "cus_1,10.00,USD,goodwill,Two days down\n"
NAMES = ("customer", "amount", "currency", "reason", "invoice", "note", "memo")

cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
"""Whatever can be typed."""
typed = st.fixed_dictionaries(
    {
        "customer": st.sampled_from(["cus_1", "cus_2"]),
        "amount": st.sampled_from(["1", "1.0", "2.50"]),
        "currency": st.sampled_from(["USD", "usd"]),
        "reason": st.sampled_from(["goodwill", "dispute"]),
        "invoice": st.sampled_from(["", "in_1"]),
        "note": cells,
        "memo": st.sampled_from(["", "Sorry"]),
    },
)
wild = st.fixed_dictionaries(dict.fromkeys(NAMES, cells)).filter(lambda row: any(row.values()))
FEW = settings(max_examples=40, deadline=None)
rows_of = st.lists(st.one_of(typed, wild), max_size=12)


def sheet(rows: Sequence[dict[str, str]], names: Sequence[str] = NAMES, end: str = "\r\n") -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, names, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def ids(content: bytes, batch: str = "") -> list[str]:
    return [row.request_id for row in read_sheet(content, batch)]


def codes(content: bytes) -> dict[int, str]:
    """Of every row that cannot be sent."""
    return {row.line: row.problem.code for row in read_sheet(content) if row.problem}


def refused(content: bytes) -> str:
    with pytest.raises(Refused) as caught:
        read_sheet(content)
    return str(caught.value)


@FEW
@given(rows_of)
def test_every_row_is_read_as_it_was_written(rows: list[dict[str, str]]) -> None:
    found = read_sheet(sheet(rows))
    assert [{name: row.cells[name] for name in NAMES} for row in found] == rows
    assert [row.problem for row in found] == [None] * len(rows)


@FEW
@given(rows_of)
def test_the_same_file_has_the_same_ids_and_no_two_rows_share_one(rows: list[dict[str, str]]) -> None:
    found = ids(sheet(rows))
    assert found == ids(sheet(rows))
    assert len(set(found)) == len(rows)
    assert [parse_request_id(one) for one in found] == found


@FEW
@given(rows_of, st.randoms(use_true_random=False))
def test_ids_do_not_depend_on_where_a_row_stands(rows: list[dict[str, str]], random: Random) -> None:
    shuffled = random.sample(rows, len(rows))
    assert sorted(ids(sheet(shuffled))) == sorted(ids(sheet(rows)))


@FEW
@given(rows_of, typed, st.integers(0, 12))
def test_a_row_that_is_put_in_takes_no_id_from_another(
    rows: list[dict[str, str]], new: dict[str, str], at: int
) -> None:
    more = [*rows[:at], new, *rows[at:]]
    assert set(ids(sheet(rows))) < set(ids(sheet(more)))


@FEW
@given(rows_of.filter(bool), typed, st.data())
def test_a_changed_row_leaves_the_ids_of_the_others(rows: list[dict[str, str]], new: dict[str, str], data: Any) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    changed = [*rows[:at], new, *rows[at + 1 :]]
    others = ids(sheet([*rows[:at], *rows[at + 1 :]]))
    assert set(others) <= set(ids(sheet(rows)))
    assert set(others) <= set(ids(sheet(changed)))


@FEW
@given(rows_of.filter(bool))
def test_another_batch_is_other_requests(rows: list[dict[str, str]]) -> None:
    assert not set(ids(sheet(rows), "June")) & set(ids(sheet(rows), "July"))
    assert not set(ids(sheet(rows), "June")) & set(ids(sheet(rows)))


def test_rows_that_say_the_same_in_another_spelling_are_equal() -> None:
    first = f"{HEADER}cus_1,10.00,USD,goodwill,Two days down\n".encode()
    other = b"\xef\xbb\xbfReason,Currency,Amount,Customer,Note,Memo\r\nGoodwill,usd,10.0, cus_1 ,Two days down ,\r\n"
    assert ids(first) == ids(other)


def test_equal_rows_are_as_many_requests() -> None:
    twice = ids(f"{HEADER}{GOOD}{GOOD}".encode())
    assert twice[0] == ids(f"{HEADER}{GOOD}".encode())[0]
    assert twice[0] != twice[1]


def test_an_id_of_its_own_is_kept_and_one_that_is_there_twice_is_named() -> None:
    content = b"request_id,customer,amount,currency,reason\nR-1,c,1,USD,x\nR-2,c,1,USD,x\nR-1,c,2,USD,x\n"
    found = read_sheet(content)
    assert [(row.line, row.request_id, row.made_up) for row in found] == [
        (2, "R-1", False),
        (3, "R-2", False),
        (4, "", False),
    ]
    assert codes(content) == {4: "request_id_twice"}
    assert found[2].problem
    assert "Line 2" in found[2].problem.message


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b'cus_1,1,USD,goodwill,"never closed\n', "row_broken"),
        (b'cus_1,1,USD,goodwill,"closed" in the middle\n', "row_broken"),
        (b"cus_1,1,USD\n", "row_misshapen"),
        (b"cus_1,1,USD,goodwill,one,two\n", "row_misshapen"),
        (b"cus_1,1,USD,goodwill,Caf\xe9\n", "row_not_utf8"),
        (b"cus_1,1,USD,goodwill,a\0b\n", "row_not_text"),
        (b"\0\n", "row_misshapen"),
        (b"cus_1,1,USD,goodwill," + b"x" * (1 << 20) + b"\n", "note_too_long"),
        (b'cus_1,1,USD,goodwill,"' + b"x\n" * LONGEST_CELL + b'"\n', "note_too_long"),
    ],
)
def test_a_bad_row_is_named_by_its_line_and_stops_only_itself(bad: bytes, code: str) -> None:
    content = HEADER.encode() + GOOD.encode() + bad + GOOD.encode() * 2
    found = read_sheet(content)
    assert codes(content) == {3: code}
    assert [row.cells["note"] for row in found if not row.problem] == ["Two days down"] * 3
    assert [row.request_id for row in found if not row.problem] == ids(f"{HEADER}{GOOD}{GOOD}{GOOD}".encode())


def one_by_one(text: str) -> list[tuple[int, bool]]:
    """Where each record begins and whether it is broken, as whoever has all day would find out."""
    lines, start, found = list(io.StringIO(text, newline="")), 0, []
    while start < len(lines):
        reader = csv.reader(iter(lines[start:]), strict=True)
        try:
            cells, broken = next(reader), False
        except csv.Error:
            cells, broken = credit_sheet._roughly(lines[start]), True
        found += [(start + 1, broken)] if any(cells) else []
        start += 1 if broken else reader.line_num
    return found


@settings(max_examples=300, deadline=None)
@given(st.text('a,"\n\r', max_size=60))
def test_where_records_begin_does_not_depend_on_how_it_is_found_out(text: str) -> None:
    assert [(raw.line, raw.problem is not None) for raw in _records(text)] == one_by_one(text)


@pytest.mark.parametrize("last", ["", 'a"x,"b"x\n', GOOD])
def test_quotes_that_are_never_closed_make_no_line_be_read_again_and_again(
    monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    read = Counter[str]()

    def counted(lines: Sequence[str], *bounds: int) -> Iterator[str]:
        for line in _from(lines, *bounds):
            read["lines"] += 1
            yield line

    monkeypatch.setattr(credit_sheet, "_from", counted)
    content = HEADER + 'a","\n' * 2_000 + last
    assert len(read_sheet(content.encode())) == 2_000 + bool(last)
    assert read["lines"] <= 3 * 2_002


def test_what_stands_inside_a_long_cell_is_never_taken_for_a_row() -> None:
    inside = "cus_Evil,499.00,USD,goodwill,x\n" * 2_000
    content = f'{HEADER}cus_1,1,USD,goodwill,"{inside}"\n{GOOD}'.encode()
    assert [row.cells["customer"] for row in read_sheet(content)] == ["cus_1", "cus_1"]
    assert codes(content) == {2: "note_too_long"}


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    content = f'{HEADER}\n{GOOD}cus_1,1,USD,goodwill,"two\nlines"\n,,,,\n{GOOD}'.encode()
    assert [row.line for row in read_sheet(content)] == [3, 4, 7]
    assert read_sheet(content)[1].cells["note"] == "two\nlines"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file is empty"),
        (b"\n\n \n", "there is no column ' '"),
        (b"customer,amount,currency\n", "reason is missing"),
        (b"customer,amount,currency,reason,color\n", "there is no column 'color'"),
        (b"customer,amount,currency,reason,amount\n", "amount is there twice"),
        (b"customer;amount;currency;reason\n", "parted by semicolons"),
        (b'customer,"amount,currency,reason\n', "never closed"),
        ("customer,amount,currency,reason\n".encode("utf-16"), "not UTF-8"),
        (b"customer,amount,currency,reason\0\n", "not UTF-8"),
        (b"PK\x03\x04\xff\xfe", "not UTF-8"),
    ],
)
def test_a_file_that_is_none_is_refused_whole(content: bytes, said: str) -> None:
    assert said in refused(content)


def test_a_file_without_end_is_refused() -> None:
    assert "at most 50 MiB" in refused(b"x" * (MOST_BYTES + 1))


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for start in (b"", HEADER.encode()):
        try:
            rows = read_sheet(start + content)
        except Refused:
            continue
        for row in rows:
            assert bool(row.problem) != bool(row.request_id)


@FEW
@given(st.lists(st.text('a,"\n\r=\0é', max_size=8), max_size=6))
def test_after_any_broken_row_the_next_whole_line_is_read(lines: list[str]) -> None:
    """Unless the broken one has opened a quote that this closes, nothing hides what follows."""
    broken = "".join(f"{line}\n" for line in lines)
    rows = read_sheet(f"{HEADER}{broken}{GOOD}".encode())
    last = rows[-1]
    assert last.problem is None
    assert last.cells["customer"] == "cus_1" or '"' in broken


@pytest.mark.asvs("1.2.10")
@FEW
@given(rows_of.filter(bool))
def test_bad_rows_come_back_as_they_were_with_their_ids_and_never_as_formulas(rows: list[dict[str, str]]) -> None:
    before = read_sheet(sheet(rows))
    written = write_bad_rows([(row, "=why") for row in before])
    for cells_of in csv.reader(io.StringIO(written, newline="")):
        assert not any(cell.startswith(STARTS_FORMULA) for cell in cells_of)
    after = read_sheet(written.encode())
    assert [dict(row.cells) | {"request_id": ""} for row in after] == [dict(row.cells) for row in before]
    assert [row.request_id for row in after] == [row.request_id for row in before]


def test_a_broken_row_is_written_as_far_as_it_can_be_guessed() -> None:
    (row,) = read_sheet(f'{HEADER}cus_1,1,USD,goodwill,"never\n'.encode())
    (again,) = read_sheet(write_bad_rows([(row, "why")]).encode())
    assert isinstance(again, SheetRow)
    assert [again.cells[name] for name in COLUMNS[:4]] == ["cus_1", "1", "USD", "goodwill"]
    assert again.cells["note"] == "never"
