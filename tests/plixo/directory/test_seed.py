from pathlib import Path
from typing import Any

import pytest

from plixo.directory.seed import SeedInvalid, load_seed
from plixo.domain.people import Group, Person

SHIPPED = Path(__file__).parents[3] / "plixo" / "directory" / "seed.toml"

ONE = {"id": '"p-1"', "name": '"One"', "email": '"one@plixo.example"', "groups": '["legal"]'}


def written(folder: Path, *people: dict[str, str]) -> Path:
    path = folder / "seed.toml"
    blocks = ["[[people]]\n" + "".join(f"{key} = {value}\n" for key, value in person.items()) for person in people]
    path.write_text("\n".join(blocks))
    return path


def refusal(path: Path) -> tuple[str, str, str]:
    with pytest.raises(SeedInvalid) as caught:
        load_seed(path)
    return caught.value.person, caught.value.field, caught.value.problem


def test_the_shipped_seed_has_exactly_one_person_per_group() -> None:
    people = load_seed(SHIPPED)
    assert [person.groups for person in people] == [frozenset({group}) for group in Group]
    assert all(person.email.endswith("@plixo.example") for person in people)
    assert all(person.active for person in people)


def test_the_shipped_seed_shows_a_limit_a_delegate_and_a_related_customer() -> None:
    people = {person.person_id: person for person in load_seed(SHIPPED)}
    assert people["p-billing-admin"].limits == {"credit": 50_000}
    assert people["p-billing-admin"].related_customers == frozenset()
    assert people["p-controller"].delegate_id == "p-cfo"
    assert people["p-legal"].related_customers == {"cus_ExampleGmbH"}
    assert people["p-legal"].time_zone == "Europe/Berlin"


def test_everything_said_of_a_person_is_read(tmp_path: Path) -> None:
    full = ONE | {
        "limits": "{ credit = 7 }",
        "time_zone": '"Europe/Berlin"',
        "working_hours": '"08:30-16:00"',
        "holidays": '"DE"',
        "delegate": '"p-2"',
        "related_customers": '["cus_1", "cus_2"]',
    }
    two = ONE | {"id": '"p-2"', "email": '"two@plixo.example"'}
    path = written(tmp_path, full, two)
    expected = Person(
        "p-1",
        "One",
        "one@plixo.example",
        frozenset({Group.LEGAL}),
        {"credit": 700},
        "Europe/Berlin",
        "08:30-16:00",
        "DE",
        "p-2",
        frozenset({"cus_1", "cus_2"}),
    )
    assert load_seed(path)[0] == expected
    assert load_seed(path)[1] == Person("p-2", "One", "two@plixo.example", frozenset({Group.LEGAL}))
    assert load_seed(path, "JPY")[0].limits == {"credit": 7}


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"groups": '["wizards"]'}, "groups", "wizards is no group; groups are support"),
        ({"groups": "[]"}, "groups", "is empty; groups are support"),
        ({"groups": '"legal"'}, "groups", "must be a list of texts"),
        ({"groups": "[7]"}, "groups", "must be a list of texts"),
        ({"name": '" "'}, "name", "must be text and not empty"),
        ({"name": "7"}, "name", "must be text and not empty"),
        ({"email": '"nobody"'}, "email", "nobody does not read like name@company.example"),
        ({"email": '"a@b.c\\nBcc: x@y.z"'}, "email", "a@b.c\nBcc: x@y.z does not read like"),
        ({"limits": "5"}, "limits", "must be a table, such as { credit = 500 }"),
        ({"limits": "{ credit = -1 }"}, "limits.credit", "must be a whole number of the base currency, 0 or more"),
        ({"limits": "{ credit = 1.5 }"}, "limits.credit", "must be a whole number"),
        ({"limits": "{ credit = true }"}, "limits.credit", "must be a whole number"),
        ({"limits": "{ cash = 1 }"}, "limits.cash", "is no kind of request; kinds are credit"),
        ({"time_zone": '"Europe/Atlantis"'}, "time_zone", "Europe/Atlantis is no IANA time zone"),
        ({"time_zone": '"../etc/passwd"'}, "time_zone", "../etc/passwd is no IANA time zone"),
        ({"working_hours": '"9-17"'}, "working_hours", "9-17 does not read like 09:00-17:00"),
        ({"working_hours": '"09:00-25:00"'}, "working_hours", "09:00-25:00 does not read like"),
        ({"working_hours": '"17:00-09:00"'}, "working_hours", "17:00-09:00 closes before it opens"),
        ({"working_hours": '"09:00-09:00"'}, "working_hours", "09:00-09:00 closes before it opens"),
        ({"holidays": '"Germany"'}, "holidays", "Germany does not read like DE"),
        ({"related_customers": '"cus_1"'}, "related_customers", "must be a list of texts"),
        ({"related_customers": '[""]'}, "related_customers", "must be a list of texts"),
        ({"limit": "1"}, "limit", "is unknown; a person has id, name"),
        ({"delegate": '"p-9"'}, "delegate", "there is no p-9"),
        ({"delegate": '"p-1"'}, "delegate", "goes in a circle: p-1 -> p-1"),
        ({"delegate": '""'}, "delegate", "must be text and not empty"),
    ],
)
def test_what_is_wrong_with_a_person_is_named(tmp_path: Path, change: dict[str, str], field: str, problem: str) -> None:
    person, found, says = refusal(written(tmp_path, ONE | change))
    assert (person, found) == ("p-1", field)
    assert says.startswith(problem)


@pytest.mark.parametrize("field", ["name", "email", "groups"])
def test_what_is_missing_is_named(tmp_path: Path, field: str) -> None:
    person = {key: value for key, value in ONE.items() if key != field}
    assert refusal(written(tmp_path, person)) == ("p-1", field, "is missing")


@pytest.mark.parametrize("without", [{}, {"id": "7"}, {"id": '""'}])
def test_a_person_without_an_id_is_named_by_their_place(tmp_path: Path, without: dict[str, str]) -> None:
    nobody = {key: value for key, value in ONE.items() if key != "id"} | without
    person, field, _ = refusal(written(tmp_path, ONE, nobody))
    assert (person, field) == ("people[1]", "id")


def test_two_people_with_one_id_or_one_address_are_refused(tmp_path: Path) -> None:
    same_id = ONE | {"email": '"two@plixo.example"'}
    assert refusal(written(tmp_path, ONE, same_id)) == ("p-1", "id", "p-1 is there twice")
    same_mail = ONE | {"id": '"p-2"', "email": '"ONE@plixo.example"'}
    assert refusal(written(tmp_path, ONE, same_mail)) == ("p-2", "email", "one@plixo.example is there twice")


def test_delegates_who_stand_in_for_each_other_are_refused(tmp_path: Path) -> None:
    people = [
        ONE | {"id": f'"p-{who}"', "email": f'"{who}@plixo.example"', "delegate": f'"p-{other}"'}
        for who, other in ((1, 2), (2, 3), (3, 2))
    ]
    assert refusal(written(tmp_path, *people)) == ("p-1", "delegate", "goes in a circle: p-1 -> p-2 -> p-3 -> p-2")


def test_a_chain_of_delegates_that_ends_is_allowed(tmp_path: Path) -> None:
    people: list[dict[str, Any]] = [
        ONE | {"id": f'"p-{who}"', "email": f'"{who}@plixo.example"', "delegate": f'"p-{who + 1}"'} for who in (1, 2)
    ]
    last = ONE | {"id": '"p-3"'}
    assert [person.delegate_id for person in load_seed(written(tmp_path, *people, last))] == ["p-2", "p-3", None]


@pytest.mark.parametrize("text", ["", "people = []", "people = 7", "people = [7]", "[[people", "[[persons]]\nid = 'x'"])
def test_a_file_without_people_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "seed.toml"
    path.write_text(text)
    with pytest.raises(SeedInvalid):
        load_seed(path)


def test_a_key_beside_the_people_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, ONE)
    path.write_text("version = 1\n" + path.read_text())
    assert refusal(path)[2].endswith("must hold [[people]] and nothing else")


def test_a_missing_file_is_refused_in_one_line(tmp_path: Path) -> None:
    person, field, problem = refusal(tmp_path / "none.toml")
    assert (person, field) == ("", "")
    assert "cannot be read" in problem
