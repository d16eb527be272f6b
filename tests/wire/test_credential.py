"""The credential: published vectors, hostile texts, and a hundred thousand forgeries."""

from __future__ import annotations

import random
from typing import Any

import base45
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from sync.credential import (
    CARD_CHARACTERS,
    EPOCH_MS,
    HOUR_MS,
    KIND_NUMBERS,
    PHONE_CHARACTERS,
    STEP_MS,
    Credential,
    Misread,
    code_secret,
    digits_at,
    find_step,
    not_before_step,
    pack,
    read_credential,
    sign_credential,
)
from tests.fixtures.vectors import vectors

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


VECTORS = vectors("credentials")
KEYS = {(key["scope"], key["key_id"]): bytes.fromhex(key["public"]) for key in VECTORS["keys"]}
SEEDS = {(key["scope"], key["key_id"]): bytes.fromhex(key["seed"]) for key in VECTORS["keys"]}
FIELDS = ("kind", "medium", "key_id", "scope", "serial", "not_before_step", "validity_hours", "random")
TEXTS = [vector["text"] for vector in VECTORS["credentials"]]


def made(vector: dict[str, Any]) -> Credential:
    return Credential(**{field: vector[field] for field in FIELDS})


@pytest.mark.parametrize("vector", VECTORS["credentials"], ids=lambda v: v["kind"] + "-" + v["medium"])
def test_published_credential_is_signed_and_read_as_written(vector: dict[str, Any]) -> None:
    credential = made(vector)
    assert pack(credential).hex() == vector["body"]
    assert sign_credential(credential, SEEDS[credential.scope, credential.key_id]) == vector["text"]
    assert read_credential(vector["text"], KEYS) == credential
    assert len(vector["text"]) == CARD_CHARACTERS and set(vector["text"]) <= set(ALPHABET)


def test_vectors_show_every_kind_and_both_media() -> None:
    assert {vector["kind"] for vector in VECTORS["credentials"]} == set(KIND_NUMBERS)
    assert {vector["medium"] for vector in VECTORS["credentials"]} == {"card", "phone"}


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda v: v["why"].replace(" ", "_"))
def test_published_refusal_has_its_reason(vector: dict[str, str]) -> None:
    assert read_credential(vector["text"], KEYS) == Misread(vector["reason"])  # type: ignore[arg-type]


def test_keys_of_the_vectors_belong_to_their_seeds() -> None:
    assert {name: bytes(SigningKey(seed).verify_key) for name, seed in SEEDS.items()} == KEYS


def test_digits_are_those_of_the_vectors() -> None:
    vector = vectors("digits")
    secret = code_secret(bytes.fromhex(vector["code_key"]), vector["serial"])
    assert secret.hex() == vector["secret"]
    assert {step: digits_at(secret, int(step)) for step in vector["digits"]} == vector["digits"]


def test_phone_shows_its_digits_behind_the_text() -> None:
    phone = next(v for v in VECTORS["credentials"] if v["medium"] == "phone")
    read = read_credential(phone["text"] + ".01234567", KEYS)
    assert isinstance(read, Credential) and read.digits == "01234567"
    assert len(phone["text"] + ".01234567") == PHONE_CHARACTERS


def test_step_is_found_only_among_those_allowed() -> None:
    secret = code_secret(bytes(32), 9)
    digits = digits_at(secret, 100)
    assert find_step(secret, digits, (99, 100, 101)) == 100
    assert find_step(secret, digits, (98, 99, 101)) is None
    assert find_step(secret, digits, (-1, -100)) is None
    assert find_step(secret, "", (100,)) is None


def test_not_before_is_rounded_down_to_ten_minutes() -> None:
    assert not_before_step(EPOCH_MS) == not_before_step(EPOCH_MS + STEP_MS - 1) == 0
    assert not_before_step(EPOCH_MS + STEP_MS) == 1
    for outside in (EPOCH_MS - 1, EPOCH_MS + (1 << 24) * STEP_MS):
        with pytest.raises(ValueError, match="not-before"):
            not_before_step(outside)


def test_printed_validity_counts_hours_from_not_before() -> None:
    credential = made(VECTORS["credentials"][0])
    assert credential.valid_until_ms - credential.not_before_ms == credential.validity_hours * HOUR_MS


@pytest.mark.parametrize(
    ("field", "value"),
    [("key_id", 256), ("scope", 1 << 24), ("serial", 1 << 32), ("not_before_step", 1 << 24), ("validity_hours", 65536),
     ("random", 65536), ("serial", -1)],
)  # fmt: skip
def test_field_that_does_not_fit_is_an_error_and_not_another_pass(field: str, value: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        pack(msgspec.structs.replace(made(VECTORS["credentials"][0]), **{field: value}))


credentials = st.builds(
    Credential,
    kind=st.sampled_from(sorted(KIND_NUMBERS)),
    medium=st.sampled_from(["card", "phone"]),
    key_id=st.just(1),
    scope=st.just(7),
    serial=st.integers(0, (1 << 32) - 1),
    not_before_step=st.integers(0, (1 << 24) - 1),
    validity_hours=st.integers(0, 65535),
    random=st.integers(0, 65535),
)


@given(credentials)
def test_whatever_is_signed_is_read_back(credential: Credential) -> None:
    text = sign_credential(credential, SEEDS[7, 1])
    assert read_credential(text, KEYS) == credential
    assert len(text) == CARD_CHARACTERS


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.binary(), st.text(), st.lists(st.text()),
    st.text(ALPHABET).map(lambda t: "G1" + t),
    st.text(ALPHABET, min_size=120, max_size=120).map(lambda t: "G1" + t),
    st.text(min_size=120, max_size=120).map(lambda t: "G1" + t),
    st.text(min_size=129, max_size=129).map(lambda t: "G1" + t),
    st.binary(min_size=80, max_size=80).map(lambda b: "G1" + base45.b45encode(b).decode()),
    st.text(min_size=9, max_size=9).map(lambda t: TEXTS[1] + t),
)  # fmt: skip


@given(anything)
def test_reading_never_raises_whatever_it_is_given(text: object) -> None:
    assert isinstance(read_credential(text, KEYS), Credential | Misread)


def test_longest_text_a_code_can_hold_is_refused_quickly() -> None:
    assert read_credential("G1" + "A" * 4294, KEYS) == Misread("unreadable")


def test_key_of_a_wrong_size_refuses_instead_of_raising() -> None:
    for public in (b"", bytes(31), bytes(33), bytes(32)):
        assert read_credential(TEXTS[0], {(7, 1): public}) == Misread("bad_signature")


RAW = {text: base45.b45decode(text[2:]) for text in TEXTS}


def _coded(raw: bytes) -> str:
    return "G1" + base45.b45encode(raw).decode()


def _one_character(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text))
    return text[:at] + rng.choice(ALPHABET) + text[at + 1 :]


def _some_bits(rng: random.Random, text: str) -> str:
    raw = bytearray(RAW[text])
    for _ in range(rng.randint(1, 4)):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return _coded(bytes(raw))


def _swapped(rng: random.Random, text: str) -> str:
    a, b = sorted(rng.sample(range(len(text)), 2))
    return text[:a] + text[b] + text[a + 1 : b] + text[a] + text[b + 1 :]


def _cut(rng: random.Random, text: str) -> str:
    start = rng.choice((0, 0, rng.randrange(len(text))))
    return text[start : rng.randrange(len(text))]


def _body_of_another(rng: random.Random, text: str) -> str:
    return _coded(RAW[rng.choice(TEXTS)][:16] + RAW[text][16:])


def _other_form(rng: random.Random, text: str) -> str:
    """A text that decodes to these bytes, but is not how they are written."""
    forms = (text.lower(), text + rng.choice(ALPHABET), " " + text, text.replace("0", "O"), text[:2] + "0" + text[2:])
    wide = text[:2] + text[2:].translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    return rng.choice((*forms, wide, text + "."))


def _other_signature_form(_: random.Random, text: str) -> str:
    """Ed25519's own malleability: S + L verifies in a careless library."""
    raw = RAW[text]
    order = (1 << 252) + 27742317777372353535851937790883648493
    s = int.from_bytes(raw[48:], "little") + order
    return _coded(raw[:48] + (s % (1 << 256)).to_bytes(32, "little"))


def _drawn(rng: random.Random, text: str) -> str:
    return _coded(RAW[text][:16] + rng.randbytes(64))


MUTATIONS = (
    _one_character, _some_bits, _swapped, _cut, _body_of_another, _other_form, _other_signature_form, _drawn,
)  # fmt: skip


@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_none_of_thousands_of_mutated_credentials_is_accepted(count: int) -> None:
    rng = random.Random(20_200_123)
    genuine = set(TEXTS)
    tried = 0
    while tried < count:
        text = rng.choice(MUTATIONS)(rng, rng.choice(TEXTS))
        if text in genuine:
            continue  # a swap of equal characters changes nothing
        tried += 1
        assert isinstance(read_credential(text, KEYS), Misread), text
