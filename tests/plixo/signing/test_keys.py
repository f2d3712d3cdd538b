"""The key files: private ones are nobody else's to read, retired public ones go on verifying."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from joserfc.jwk import KeySet, OctKey, OKPKey, RSAKey

from plixo.config import Settings
from plixo.domain.refusals import NotAllowed
from plixo.signing.keys import KeyFileError, KeySource, key_id, load_or_create_signing_key, load_public_keys
from plixo.signing.tokens import StaffSigner, StaffVerifier
from tests.support.rows import NOW


@pytest.fixture
def private(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "private.json"


@pytest.fixture
def public(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "public.json"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.asvs("13.3.1")
def test_the_private_key_is_its_owners_alone(private: Path, public: Path) -> None:
    load_or_create_signing_key(private, public)
    assert (mode(private), mode(private.parent)) == (0o600, 0o700)
    assert all("d" not in entry for entry in json.loads(public.read_text())["keys"])


@pytest.mark.asvs("13.3.1")
@pytest.mark.parametrize("bits", [0o640, 0o604, 0o666, 0o610])
def test_a_private_key_that_others_can_reach_is_refused(private: Path, public: Path, bits: int) -> None:
    load_or_create_signing_key(private, public)
    private.chmod(bits)
    with pytest.raises(KeyFileError, match=f"mode {bits:o}"):
        load_or_create_signing_key(private, public)


@pytest.mark.parametrize("place", ["private", "public"])
def test_a_folder_that_cannot_hold_keys_is_one_line(private: Path, public: Path, place: str) -> None:
    blocked = {"private": private, "public": public} | {place: private.parent.with_name("file") / "key.json"}
    private.parent.with_name("file").write_text("not a folder")
    with pytest.raises(KeyFileError, match=r"file.* cannot be used \((Not a directory|File exists)\)") as caught:
        load_or_create_signing_key(blocked["private"], blocked["public"])
    assert "\n" not in str(caught.value)


def test_the_key_that_is_there_is_used_again(private: Path, public: Path) -> None:
    first = load_or_create_signing_key(private, public)
    assert key_id(load_or_create_signing_key(private, public)) == key_id(first)
    assert len(json.loads(public.read_text())["keys"]) == 1


def test_a_retired_key_goes_on_verifying_what_it_signed(private: Path, public: Path) -> None:
    old = load_or_create_signing_key(private, public)
    before = StaffSigner(old).sign("request", {"a": 1}, now=NOW)
    private.unlink()
    new = load_or_create_signing_key(private, public)
    after = StaffSigner(new).sign("request", {"a": 2}, now=NOW)
    assert key_id(new) != key_id(old)
    verifier = StaffVerifier(load_public_keys(public))
    assert verifier.verify(before, "request", now=NOW) == {"a": 1}
    assert verifier.verify(after, "request", now=NOW) == {"a": 2}


def test_a_lost_public_file_is_written_again(private: Path, public: Path) -> None:
    key = load_or_create_signing_key(private, public)
    public.unlink()
    load_or_create_signing_key(private, public)
    token = StaffSigner(key).sign("request", {}, now=NOW)
    assert StaffVerifier(load_public_keys(public)).verify(token, "request", now=NOW) == {}


def started_at_once(consoles: list[tuple[Path, Path]]) -> list[OKPKey]:
    """The key of each console, all of which start in the same instant."""
    ready = Barrier(len(consoles))

    def start(console: tuple[Path, Path]) -> OKPKey:
        ready.wait()
        return load_or_create_signing_key(*console)

    with ThreadPoolExecutor(len(consoles)) as pool:
        return list(pool.map(start, consoles))


def test_no_key_is_lost_when_consoles_start_in_the_same_instant(tmp_path: Path) -> None:
    for attempt in range(5):
        public = tmp_path / str(attempt) / "public.json"
        keys = started_at_once([(tmp_path / f"{attempt}-{number}" / "private.json", public) for number in range(12)])
        assert {key.kid for key in load_public_keys(public)} == {key_id(key) for key in keys}
        assert len({key_id(key) for key in keys}) == 12


def test_consoles_of_one_private_key_that_start_in_the_same_instant_come_to_one_key(tmp_path: Path) -> None:
    for attempt in range(5):
        private, public = tmp_path / str(attempt) / "private.json", tmp_path / str(attempt) / "public.json"
        keys = started_at_once([(private, public)] * 12)
        assert {key.kid for key in load_public_keys(public)} == {key_id(key) for key in keys}
        assert len({key_id(key) for key in keys}) == 1
        assert mode(private) == 0o600


def test_a_public_file_that_can_only_be_read_will_do_once_the_key_is_in_it(private: Path, tmp_path: Path) -> None:
    public = tmp_path / "shared" / "public.json"
    key = load_or_create_signing_key(private, public)
    for left in public.parent.iterdir():
        if left != public:
            left.unlink()
    before = sorted(tmp_path.rglob("*"))
    assert key_id(load_or_create_signing_key(private, public)) == key_id(key)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json",
        "[]",
        "{}",
        json.dumps(OctKey.generate_key(256).as_dict(private=True)),
        json.dumps(OKPKey.generate_key("X25519").as_dict(private=True)),
        json.dumps(OKPKey.generate_key("Ed25519").as_dict(private=False)),
        json.dumps(RSAKey.generate_key(2048).as_dict(private=True)),
    ],
    ids=["empty", "no JSON", "a list", "nothing", "a secret", "another curve", "only public", "RSA"],
)
def test_a_file_that_holds_no_private_ed25519_key_is_refused(private: Path, public: Path, content: str) -> None:
    private.parent.mkdir()
    private.write_text(content)
    private.chmod(0o600)
    with pytest.raises(KeyFileError, match="Ed25519 key"):
        load_or_create_signing_key(private, public)
    assert not public.exists()


def test_without_public_keys_it_says_what_to_do(public: Path) -> None:
    with pytest.raises(KeyFileError, match="start the console once"):
        load_public_keys(public)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"keys": 1}', '{"keys": [1]}', '{"keys": []}', '{"keys": [{}]}'])
def test_a_file_that_holds_no_public_keys_is_refused(tmp_path: Path, content: Any) -> None:
    (tmp_path / "public.json").write_text(content)
    with pytest.raises(KeyFileError, match="no public signing keys"):
        load_public_keys(tmp_path / "public.json")


def test_the_public_file_may_be_in_a_folder_of_its_own(private: Path, tmp_path: Path) -> None:
    """One that a worker is given without the private key's."""
    settings = Settings(data=tmp_path / "data", PLIXO_PUBLIC_KEYS=str(tmp_path / "shared" / "public.json"))
    key = load_or_create_signing_key(private, settings.public_keys)
    assert settings.public_keys == tmp_path / "shared" / "public.json"
    assert [entry["kid"] for entry in json.loads(settings.public_keys.read_text())["keys"]] == [key_id(key)]
    assert Settings(data=tmp_path / "data").public_keys == settings.signing_key.with_name("signing-public.json")


def signed_by_another(private: Path, public: Path) -> str:
    """What a console with a new key signs; the key is added to the public file first."""
    private.unlink()
    return StaffSigner(load_or_create_signing_key(private, public)).sign("request", {"a": 2}, now=NOW)


def test_a_key_that_is_added_while_we_run_is_known_at_once(private: Path, public: Path) -> None:
    old = StaffSigner(load_or_create_signing_key(private, public)).sign("request", {"a": 1}, now=NOW)
    verifier = StaffVerifier(KeySource(public))
    assert verifier.verify(old, "request", now=NOW) == {"a": 1}
    assert verifier.verify(signed_by_another(private, public), "request", now=NOW) == {"a": 2}
    assert verifier.verify(old, "request", now=NOW) == {"a": 1}


def test_what_a_key_signed_that_cannot_be_read_now_is_not_refused(private: Path, public: Path) -> None:
    """A refusal is for good, and a file can be mended."""
    old = StaffSigner(load_or_create_signing_key(private, public)).sign("request", {"a": 1}, now=NOW)
    verifier = StaffVerifier(KeySource(public))
    new = signed_by_another(private, public)
    whole = public.read_text()
    for content in (whole[:-20], None):
        public.unlink() if content is None else public.write_text(content)
        for _ in range(2):
            with pytest.raises(KeyFileError, match=r"public signing keys"):
                verifier.verify(new, "request", now=NOW)
        assert verifier.verify(old, "request", now=NOW) == {"a": 1}
    public.write_text(whole)
    assert verifier.verify(new, "request", now=NOW) == {"a": 2}


@pytest.mark.asvs("9.1.3")
def test_forgers_who_name_keys_have_no_file_read(private: Path, public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_or_create_signing_key(private, public)
    verifier = StaffVerifier(KeySource(public))
    read: list[Path] = []

    def counted(path: Path) -> KeySet:
        read.append(path)
        return load_public_keys(path)

    monkeypatch.setattr("plixo.signing.keys.load_public_keys", counted)
    for _ in range(3):
        forged = StaffSigner(OKPKey.generate_key("Ed25519")).sign("request", {}, now=NOW)
        with pytest.raises(NotAllowed):
            verifier.verify(forged, "request", now=NOW)
    assert read == []
    verifier.verify(signed_by_another(private, public), "request", now=NOW)
    assert read == [public]
