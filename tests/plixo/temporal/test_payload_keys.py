import json
import logging
import multiprocessing
import os
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from plixo.temporal.payload_keys import (
    KeyRing,
    NoPayloadKeys,
    PayloadKey,
    PayloadKeyError,
    PayloadKeys,
    ensure_payload_keys,
    load_payload_keys,
    rotate_payload_keys,
)

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)
AT_ONCE = 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "payload-keys.json"


def test_the_first_start_makes_a_key_and_the_next_finds_it(path: Path) -> None:
    made = ensure_payload_keys(path, NOW)

    assert ensure_payload_keys(path, NOW) == made
    assert len(made.keys) == 1
    assert len(made.current().secret) == 32
    assert made.current().made_at == NOW


@pytest.mark.asvs("13.3.1")
def test_the_file_is_its_owners_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        ensure_payload_keys(path, NOW)
        made = path.stat().st_mode & 0o777
        rotate_payload_keys(path, NOW)
    finally:
        os.umask(before)
    assert made == path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.asvs("13.3.1")
@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_can_read_is_refused(path: Path, bits: int) -> None:
    ensure_payload_keys(path, NOW)
    path.chmod(bits)
    for use in (load_payload_keys, lambda file: ensure_payload_keys(file, NOW), lambda f: rotate_payload_keys(f, NOW)):
        with pytest.raises(PayloadKeyError, match=f"mode {bits:o}.*set it to 600"):
            use(path)


def _ensure(path: Path, together: Barrier) -> str:
    together.wait(60)
    return ensure_payload_keys(path, NOW).current_id


def _rotate(path: Path, together: Barrier) -> str:
    together.wait(60)
    return rotate_payload_keys(path, NOW).current_id


def _report(work: object, path: Path, together: Barrier, said: "multiprocessing.Queue[str]") -> None:
    said.put(work(path, together))  # type: ignore[operator]


def at_once(work: object, path: Path) -> list[str]:
    """What processes say that all begin in one moment."""
    context = multiprocessing.get_context("fork")
    together, said = context.Barrier(AT_ONCE), context.Queue()
    running = [context.Process(target=_report, args=(work, path, together, said)) for _ in range(AT_ONCE)]
    for one in running:
        one.start()
    answers = [said.get(timeout=60) for _ in running]
    for one in running:
        one.join(60)
    return answers


def test_of_many_that_start_at_once_one_makes_the_key(path: Path) -> None:
    assert len(set(at_once(_ensure, path))) == 1
    assert len(load_payload_keys(path).keys) == 1


def test_of_many_that_rotate_at_once_none_loses_a_key(path: Path) -> None:
    first = ensure_payload_keys(path, NOW).current_id

    made = at_once(_rotate, path)

    assert len(set(made)) == AT_ONCE
    assert set(load_payload_keys(path).keys) == {first, *made}


@pytest.mark.asvs("11.3.2")
def test_rotating_makes_a_new_key_current_and_keeps_the_old_ones(path: Path) -> None:
    first = ensure_payload_keys(path, NOW)

    ring = rotate_payload_keys(path, NOW)

    assert load_payload_keys(path) == ring
    assert list(ring.keys) == [first.current_id, ring.current_id]
    assert ring.keys[first.current_id] == first.current()
    assert ring.current_id != first.current_id


def test_a_prepared_key_encrypts_nothing_until_the_next_rotation(path: Path) -> None:
    first = ensure_payload_keys(path, NOW)

    prepared = rotate_payload_keys(path, NOW, prepare=True)
    assert prepared.current_id == first.current_id
    assert prepared.prepared is not None
    assert rotate_payload_keys(path, NOW, prepare=True) == prepared

    rotated = rotate_payload_keys(path, NOW)
    assert rotated.current() == prepared.prepared
    assert rotated.prepared is None
    assert len(rotated.keys) == 2


def test_rotating_where_there_is_none_makes_one(path: Path) -> None:
    assert len(rotate_payload_keys(path, NOW).keys) == 1


@pytest.mark.parametrize("cut", ["write", "replace"])
def test_a_rotation_that_is_cut_off_leaves_the_old_file(path: Path, cut: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ensure_payload_keys(path, NOW)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(*((os, "fsync", full) if cut == "write" else (Path, "replace", full)))
        with pytest.raises(PayloadKeyError, match="No space left"):
            rotate_payload_keys(path, NOW)

    assert load_payload_keys(path) == before
    assert len(rotate_payload_keys(path, NOW).keys) == 2, "what the cut left behind is in nobody's way"


def test_a_missing_file_says_where_keys_come_from(path: Path) -> None:
    with pytest.raises(NoPayloadKeys, match="start the console once, or run `plixo keys rotate`"):
        load_payload_keys(path)


KEY = PayloadKey(bytes(range(32)), NOW)
ENTRY = {"id": KEY.key_id, "made": NOW.isoformat(), "key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}


def test_a_file_is_what_it_says() -> None:
    assert KeyRing.parse(json.dumps({"current": KEY.key_id, "keys": [ENTRY]})) == KeyRing.of(KEY)


@pytest.mark.parametrize(
    "found",
    [
        "",
        "[]",
        "null",
        "{}",
        {"current": KEY.key_id, "keys": []},
        {"current": KEY.key_id, "keys": None},
        {"current": KEY.key_id, "keys": ["x"]},
        {"current": "another", "keys": [ENTRY]},
        {"current": None, "keys": [ENTRY]},
        {"current": KEY.key_id, "keys": [{**ENTRY, "id": "0" * 16}, ENTRY]},
        {"current": KEY.key_id, "keys": [{**ENTRY, "key": "AAEC"}]},
        {"current": KEY.key_id, "keys": [{**ENTRY, "key": "%" * 44}]},
        {"current": KEY.key_id, "keys": [{**ENTRY, "key": None}]},
        {"current": KEY.key_id, "keys": [{**ENTRY, "made": "yesterday"}]},
        {"current": KEY.key_id, "keys": [{"id": KEY.key_id, "made": ENTRY["made"]}]},
    ],
)
def test_a_file_that_holds_something_else_is_refused_and_left_alone(path: Path, found: object) -> None:
    path.parent.mkdir()
    path.touch(0o600)
    path.write_text(found if isinstance(found, str) else json.dumps(found))
    before = path.read_text()
    with pytest.raises(PayloadKeyError, match="holds no payload keys; put back the file as it was"):
        rotate_payload_keys(path, NOW)
    with pytest.raises(PayloadKeyError, match="holds no payload keys"):
        ensure_payload_keys(path, NOW)
    assert path.read_text() == before


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PayloadKeyError, match=r"file/keys\.json cannot be (written|read): Not a directory"):
        ensure_payload_keys(tmp_path / "file" / "keys.json", NOW)


def test_a_running_process_takes_up_what_is_added_and_what_is_made_current(path: Path) -> None:
    first = ensure_payload_keys(path, NOW)
    keys = PayloadKeys(path)
    assert keys.current() == first.current()

    prepared = rotate_payload_keys(path, NOW, prepare=True).prepared
    assert prepared is not None
    assert keys.find(prepared.key_id) == prepared
    assert keys.current() == first.current()

    rotate_payload_keys(path, NOW)
    assert keys.current() == prepared
    assert keys.find(first.current_id) == first.current()
    assert keys.find("0" * 16) is None


@pytest.mark.parametrize("harm", ["gone", "opened", "garbled"])
def test_a_running_process_keeps_the_keys_that_it_read(path: Path, harm: str, caplog: pytest.LogCaptureFixture) -> None:
    ring = ensure_payload_keys(path, NOW)
    keys = PayloadKeys(path)
    assert keys.ring() == ring

    if harm == "gone":
        path.unlink()
    elif harm == "opened":
        path.chmod(0o644)
    else:
        path.write_text("{")

    with caplog.at_level(logging.WARNING):
        assert [keys.ring(), keys.ring(), keys.ring()] == [ring] * 3
    assert len(caplog.records) == 1, "said once, not with each payload"

    path.unlink(missing_ok=True)
    assert keys.find(ensure_payload_keys(path, NOW).current_id) is not None, "a sound file is taken up again"


def test_a_process_that_never_had_keys_says_so(path: Path) -> None:
    with pytest.raises(NoPayloadKeys):
        PayloadKeys(path).current()


@pytest.mark.asvs("16.2.5")
def test_a_key_is_never_shown() -> None:
    ring = KeyRing.of(KEY)
    for shown in (repr(KEY), str(ring), repr(ring)):
        assert "secret" not in shown
        assert repr(KEY.secret) not in shown
