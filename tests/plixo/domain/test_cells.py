import pytest
from hypothesis import given
from hypothesis import strategies as st

from plixo.domain.cells import STARTS_FORMULA, neutral, original


@pytest.mark.asvs("1.2.10")
@given(st.text())
def test_no_cell_begins_like_a_formula_and_each_comes_back_as_it_was(cell: str) -> None:
    assert not neutral(cell).startswith(STARTS_FORMULA)
    assert original(neutral(cell)) == cell


@pytest.mark.asvs("1.2.10")
@pytest.mark.parametrize("cell", ["=cmd|'/c calc'!A0", "+1", "-2", "@SUM(1)", "\t=1", "\r=1", "'=1"])
def test_what_could_be_a_formula_is_written_as_text(cell: str) -> None:
    assert neutral(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "Two days down", "'Tis", "4200.00", "a=b"])
def test_what_people_type_stays_as_it_is_when_it_is_read(cell: str) -> None:
    assert original(cell) == cell
