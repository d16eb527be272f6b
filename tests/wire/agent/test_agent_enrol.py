"""Enrolment: what a technician types, and what may go wrong on the way."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest
import requests
from flask import Flask
from nacl.signing import SigningKey
from werkzeug.wrappers import Response

from sync.agent.enrol import IDENTITY, EnrolError, enrol, read_identity
from sync.protocol import Refusal, enrolment_code
from sync.server.app import centre_of
from sync.server.gates import fleet
from tests.fixtures.both_ends import URL, new_compound
from tests.fixtures.wsgi_adapter import BadLine, WsgiAdapter, WsgiApp, session_on

BOX = bytes(SigningKey(bytes(32)).verify_key.to_curve25519_public_key())


@pytest.fixture
def code(app: Flask) -> str:
    new_compound(centre_of(app))
    return fleet.add_gate(centre_of(app), 7, "东门", "test").enrolment_code


def on(app: Flask | WsgiApp) -> requests.Session:
    return session_on(WsgiAdapter(app.wsgi_app if isinstance(app, Flask) else app))


def test_code_makes_a_gate_whose_token_is_for_its_owner_alone(tmp_path: Path, app: Flask, code: str) -> None:
    enrolled = enrol(URL, code.lower().replace("0", "o"), BOX, tmp_path / "sync", on(app))
    identity = read_identity(tmp_path / "sync")
    assert identity and (identity.compound, identity.gate) == (enrolled.compound, enrolled.gate) == (7, "g1")
    assert stat.S_IMODE((tmp_path / "sync" / IDENTITY).stat().st_mode) == 0o600
    assert identity.token not in repr(identity) and len(identity.token) == 43


def test_lost_answer_is_asked_for_again_with_the_same_token(tmp_path: Path, app: Flask, code: str) -> None:
    deaf = session_on(BadLine(app.wsgi_app, requests_lost=0, answers_lost=1, seed=1))
    with pytest.raises(EnrolError, match="cannot be reached"):
        enrol(URL, code, BOX, tmp_path, deaf)
    assert read_identity(tmp_path) is None
    enrolled = enrol(URL, code, BOX, tmp_path, on(app))
    assert read_identity(tmp_path) and enrolled.gate == "g1"


def test_program_killed_after_enrolment_may_ask_again(tmp_path: Path, app: Flask, code: str) -> None:
    first = enrol(URL, code, BOX, tmp_path, on(app))
    assert enrol(URL, code, BOX, tmp_path, on(app)) == first


def test_second_device_is_told_that_the_code_is_used(tmp_path: Path, app: Flask, code: str) -> None:
    enrol(URL, code, BOX, tmp_path / "one", on(app))
    with pytest.raises(EnrolError, match="used by another device"):
        enrol(URL, code, BOX, tmp_path / "two", on(app))


def test_identity_is_replaced_only_when_asked(tmp_path: Path, app: Flask, code: str) -> None:
    enrol(URL, code, BOX, tmp_path, on(app))
    before = (tmp_path / IDENTITY).read_bytes()
    second = fleet.add_gate(centre_of(app), 7, "西门", "test").enrolment_code
    with pytest.raises(EnrolError, match="already gate g1 of compound 7"):
        enrol(URL, second, BOX, tmp_path, on(app))
    assert (tmp_path / IDENTITY).read_bytes() == before
    assert enrol(URL, second, BOX, tmp_path, on(app), replace=True).gate == "g2"
    identity = read_identity(tmp_path)
    assert identity and identity.gate == "g2"


def test_failed_replacement_leaves_the_old_identity(tmp_path: Path, app: Flask, code: str) -> None:
    enrol(URL, code, BOX, tmp_path, on(app))
    before = (tmp_path / IDENTITY).read_bytes()
    unknown = enrolment_code(bytes(32), bytes(10))
    with pytest.raises(EnrolError, match="does not know this code"):
        enrol(URL, unknown, BOX, tmp_path, on(app), replace=True)
    assert (tmp_path / IDENTITY).read_bytes() == before


@pytest.mark.parametrize("wrong", ["", "ABC", "U" * 32, "0" * 31, "令" * 32])
def test_code_that_cannot_be_one_is_refused_before_anything_is_sent(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(EnrolError, match="32 letters and digits"):
        enrol(URL, wrong, BOX, tmp_path, requests.Session())
    assert list(tmp_path.iterdir()) == []


def test_root_key_the_code_does_not_speak_of_is_refused(tmp_path: Path, app: Flask, code: str) -> None:
    other = enrolment_code(bytes(SigningKey.generate().verify_key), bytes(10))
    forged = other.replace("-", "")[:16] + code.replace("-", "")[16:]
    with pytest.raises(EnrolError, match="Another centre"):
        enrol(URL, forged, BOX, tmp_path, on(app))
    assert read_identity(tmp_path) is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://centre.example", "https"),
        ("http://192.168.1.5:8080", "https"),
        ("ftp://centre.example", "not an address"),
        ("centre.example", "not an address"),
        ("https://", "not an address"),
        ("https://user:pw@centre.example", "user name"),
        ("https://centre.example:99999", "not an address"),
    ],
)
def test_address_that_cannot_be_trusted_is_refused(tmp_path: Path, app: Flask, code: str, url: str, words: str) -> None:
    with pytest.raises(EnrolError, match=words):
        enrol(url, code, BOX, tmp_path, on(app))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Response("<html>", content_type="text/html"), "wants a login"),
        (Response("", 503, headers={"Retry-After": "33"}), "33 seconds"),
        (Response(status=302, headers={"Location": "https://portal.example"}), "wants a login"),
        (Response(b'{"v":9}', content_type="application/json"), "another version"),
        (Response(msgspec.json.encode(Refusal(1, "odd", "Not today")), 403, content_type="application/json"),
         "Not today"),
    ],
)  # fmt: skip
def test_each_failure_has_words_of_its_own(tmp_path: Path, answer: Response, words: str, code: str) -> None:
    with pytest.raises(EnrolError, match=words):
        enrol(URL, code, BOX, tmp_path, on(answer))
    assert read_identity(tmp_path) is None


def test_nobody_listening_is_said_in_words(tmp_path: Path, code: str) -> None:
    with pytest.raises(EnrolError, match="cannot be reached"):
        enrol("http://127.0.0.1:1", code, BOX, tmp_path)


def test_authority_file_that_is_none_is_named(tmp_path: Path, code: str) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    with pytest.raises(EnrolError, match="The certificate authority"):
        enrol("https://127.0.0.1:1", code, BOX, tmp_path, ca=str(tmp_path / "ca.pem"))
    with pytest.raises(EnrolError, match="cannot be read"):
        enrol("https://127.0.0.1:1", code, BOX, tmp_path, ca=str(tmp_path / "none.pem"))


def test_damaged_identity_is_said_and_not_overwritten(tmp_path: Path, app: Flask, code: str) -> None:
    (tmp_path / IDENTITY).write_text("{")
    with pytest.raises(EnrolError, match="--replace"):
        enrol(URL, code, BOX, tmp_path, on(app))
    assert (tmp_path / IDENTITY).read_text() == "{"
    enrol(URL, code, BOX, tmp_path, on(app), replace=True)
    assert read_identity(tmp_path)
