"""The messages: what the root key signs, the chain, the enrolment code, and texts that are none of ours."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from sync.protocol import (
    CHAIN_START,
    EventUpload,
    Page,
    ProtocolError,
    Signed,
    chain,
    enrolment_code,
    read_enrolment_code,
    root_mark,
    sign,
    signing_input,
    trusts,
)
from tests.fixtures.vectors import vectors

VECTOR = vectors("root")
SEED = bytes.fromhex(VECTOR["root_seed"])
PUBLIC = bytes.fromhex(VECTOR["root_public"])


def signed() -> Signed:
    v = VECTOR["signed"]
    return sign(SEED, v["purpose"], v["compound"], v["epoch"], v["revision"], v["item"], v["body"].encode())


def test_root_signature_covers_what_the_vectors_say() -> None:
    v = VECTOR["signed"]
    covered = signing_input(v["purpose"], v["compound"], v["epoch"], v["revision"], v["item"], v["body"].encode())
    assert covered == v["covered"].encode()
    assert signed().signature.hex() == v["signature"]
    assert bytes(SigningKey(SEED).verify_key) == PUBLIC and signed().is_by(PUBLIC)


@pytest.mark.parametrize(
    ("field", "value"),
    [("purpose", "key"), ("compound", 8), ("epoch", "other"), ("revision", 42), ("item", "rule"), ("body", b"{}"),
     ("signature", bytes(64)), ("signature", b""), ("item", "a\nb")],
)  # fmt: skip
def test_changing_any_signed_part_breaks_the_signature(field: str, value: object) -> None:
    assert not msgspec.structs.replace(signed(), **{field: value}).is_by(PUBLIC)


def test_must_is_a_hint_and_not_signed() -> None:
    assert msgspec.structs.replace(signed(), must=True).is_by(PUBLIC)


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(32), bytes(33)])
def test_an_invalid_key_vouches_for_nothing(public: bytes) -> None:
    assert not signed().is_by(public)


@given(st.text(), st.integers(), st.text(), st.integers(), st.text(), st.binary(), st.binary())
def test_judging_a_signature_never_raises(
    purpose: str, compound: int, epoch: str, revision: int, item: str, body: bytes, signature: bytes
) -> None:
    change = Signed(purpose=purpose, compound=compound, epoch=epoch, revision=revision, item=item, body=body,
                    signature=signature)  # fmt: skip
    assert not change.is_by(PUBLIC)


def test_line_break_in_a_name_is_not_signed() -> None:
    for purpose, epoch, item in (("a\nb", "e", "i"), ("a", "e\n", "i"), ("a", "e", "\n")):
        with pytest.raises(ProtocolError):
            signing_input(purpose, 7, epoch, 1, item, b"")


def test_chain_of_the_vectors() -> None:
    link = CHAIN_START
    for entry in VECTOR["chain"]:
        link = chain(link, entry["event"])
        assert link.hex() == entry["chain"]


def test_enrolment_code_of_the_vectors_speaks_of_the_root_key() -> None:
    code = enrolment_code(PUBLIC, bytes.fromhex(VECTOR["enrolment"]["secret"]))
    assert code == VECTOR["enrolment"]["code"]
    mark, secret = read_enrolment_code(code)
    assert mark == root_mark(PUBLIC) == VECTOR["root_mark"] and len(secret) == 16
    assert trusts(PUBLIC, mark) and not trusts(bytes(32), mark)


@given(st.binary(min_size=10, max_size=10))
def test_code_is_read_however_it_is_written_down(secret: bytes) -> None:
    code = enrolment_code(PUBLIC, secret)
    written = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert read_enrolment_code(written) == read_enrolment_code(code)


@given(st.text())
def test_any_other_text_is_refused_in_words(text: str) -> None:
    try:
        mark, secret = read_enrolment_code(text)
    except ProtocolError as err:
        assert "enrolment code" in str(err)
    else:
        assert len(mark) == len(secret) == 16


def test_unknown_fields_of_a_newer_centre_are_ignored() -> None:
    page = msgspec.json.decode(
        b'{"v":1,"compound":7,"epoch":"e","after":0,"revision":1,"complete":true,"new":{"a":[1]}}', type=Page
    )
    assert page.complete and page.credentials == []


def test_upload_of_an_older_gate_has_no_hole() -> None:
    text = b'{"v":1,"journal_id":"j","first_seq":1,"before":"","events":[]}'
    assert msgspec.json.decode(text, type=EventUpload).hole is False


@given(st.binary(max_size=200))
def test_broken_messages_are_refused_as_such(text: bytes) -> None:
    for kind in (Page, EventUpload, Signed):
        with pytest.raises(msgspec.MsgspecError):
            msgspec.json.decode(text, type=kind)
