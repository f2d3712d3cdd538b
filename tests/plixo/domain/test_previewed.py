from dataclasses import replace

import pytest

from plixo.domain.path import ApprovalPath, Clock, Seat, Stage
from plixo.domain.people import Group
from plixo.domain.previewed import Previewed, previewed
from plixo.domain.refusals import Refused

CLOCK = Clock(8, (4,), 40)
ONE = ApprovalPath("above-authority", "Above.", (Stage((Seat(Group.CONTROLLER, 2_500_000),), CLOCK),))
TWO = ApprovalPath(
    "ceiling",
    "Both.",
    (Stage((Seat(Group.CONTROLLER), Seat(Group.LEGAL)), CLOCK), Stage((Seat(Group.CFO, quorum=2),), CLOCK)),
)
NOBODY = ApprovalPath("within-authority", "Within.")
HERE, LATER = "3@9f2c01ab34cd", "4@0123456789ab"


def difference(shown: ApprovalPath, came: ApprovalPath, reference: str = HERE) -> str:
    found = Previewed.parse(previewed(shown, HERE))
    assert found is not None
    assert found.words == shown.describe()
    return found.difference(came, reference)


@pytest.mark.parametrize("path", [ONE, TWO, NOBODY])
def test_the_same_path_differs_in_nothing_even_by_another_version(path: ApprovalPath) -> None:
    assert difference(path, path) == difference(path, path, LATER) == ""


def test_what_differs_is_named_with_why() -> None:
    assert difference(ONE, TWO, LATER) == (
        "When it was checked, Controller would have been asked; now it is Controller and Legal, then 2 of CFO. "
        "Policy version 4 has followed version 3 since."
    )
    assert difference(TWO, NOBODY).startswith(
        "When it was checked, Controller and Legal, then 2 of CFO would have been asked; now it is nobody. Amounts of "
    )
    assert difference(NOBODY, ONE).startswith(
        "When it was checked, nobody would have been asked; now it is Controller."
    )


def test_other_limits_of_the_same_people_are_a_difference() -> None:
    lower = replace(ONE, stages=(Stage((Seat(Group.CONTROLLER, 1),), CLOCK),))
    assert difference(ONE, lower).startswith("Those who are asked are the ones that were shown, but")


def test_nothing_shown_is_nothing_to_hold_it_against() -> None:
    assert Previewed.parse("") is None


@pytest.mark.parametrize(
    "text",
    ["x", "3@9f2c01ab34cd;ceo;9f2c01ab34cd", "3@9f2c01ab34cd;;9f2c01ab34cd", previewed(ONE, HERE) + "\n", "\x00"],
)
def test_what_no_preview_says_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        Previewed.parse(text)
    assert refusal.value.problems[0].field == "previewed"
