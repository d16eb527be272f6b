"""What a thief finds on a gate's card, and what the other gates make of it once the theft is reported."""

from __future__ import annotations

import json
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from nacl.public import PrivateKey, SealedBox
from nacl.pwhash import argon2id

from kiosk.channel import Refused
from kiosk.core.guards.post import GuardSessions
from kiosk.core.vouching import Account
from kiosk.verbs import PRESENT, Presentation, SignIn
from sync.cache import ListReader, get_current
from sync.protocol import AccountBody
from sync.server.gates import guards, theft
from sync.server.passes import passes
from tests.fixtures import gate_parts
from tests.fixtures.centre import LONG_PIN, PIN, World
from tests.fixtures.office import settle
from tests.fixtures.processes.centre import COMPOUND, GUARD, Centre, listed_cursor
from tests.fixtures.processes.device import Device
from tests.fixtures.true_gate import TrueGate

DAY_MS, WAIT_S = 24 * 3_600_000, 60.0


class Card:
    """What stood on a gate's card when it was carried away: a real core and sync, one passage, one guard."""

    def __init__(self, folder: Path) -> None:
        centre, self.device = Centre(folder / "centre"), Device(folder / "gate")
        try:
            centre.start()
            centre.enrol(self.device, f"http://127.0.0.1:{centre.port}")
            guards.add_guard(centre.office, COMPOUND, "赵敏", "supervisor", LONG_PIN, "test", ["g1"])
            guards.add_guard(centre.office, COMPOUND, "吴刚", "guard", "604918", "test")
            guards.change_guard(centre.office, COMPOUND, "a3", "test", active=False)
            self._stand_a_while(centre)
        finally:
            centre.close()
        self.root = folder / "gate"
        self.files = {
            re.sub(r"[0-9a-f]{16}", "ID", str(path.relative_to(self.root))): path
            for path in [*self.root.glob("state/*/*"), self.root / "anchor.json"]
        }
        self.all = b"\n".join(path.read_bytes() for path in self.files.values())

    def _stand_a_while(self, centre: Centre) -> None:
        office, now_ms = centre.office, time.time_ns() // 1_000_000
        order = passes.Order(valid_from_ms=now_ms - DAY_MS, valid_until_ms=now_ms + DAY_MS, label="王**",
                             dwelling="3-2-501", plate="鄂A12345", active=True, phone=True)  # fmt: skip
        self.number = passes.issue(office, COMPOUND, order, "test").number
        marked = passes.issue(office, COMPOUND, order, "test").number
        passes.set_attention(office, marked, True, "test", "community")
        settle(SimpleNamespace(centre=office, now_ms=now_ms), COMPOUND, self.number)  # type: ignore[arg-type]
        text = passes.credential_text(office, self.number, "card")
        with self.device.running("core", "sync"):
            client, end = self.device.client("core-guard"), time.monotonic() + WAIT_S
            while listed_cursor(self.device.list_folder) != centre.cursor() or not self._has_list(client):
                assert time.monotonic() < end, self.device.said("core")
                time.sleep(0.02)
            client.close()
            reader = self.device.client("core-reader")
            assert reader.ask(PRESENT, Presentation(lane="entry", text=text)).outcome == "grant"
            reader.close()

    def _has_list(self, client: object) -> bool:
        state = self.device.state(client)  # type: ignore[arg-type]
        return bool(state and state.list_passes)

    def box(self) -> SealedBox:
        return SealedBox(PrivateKey(self.files["state/core/box.key"].read_bytes()))

    def accounts(self) -> dict[str, AccountBody]:
        path = get_current(self.device.list_folder)
        assert path
        reader = ListReader(path)
        try:
            bodies = [s.body for s in reader.signed() if s.purpose == "account"]
        finally:
            reader.close()
        return {body.name: body for body in (msgspec.json.decode(raw, type=AccountBody) for raw in bodies)}


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    return Card(tmp_path_factory.mktemp("stolen"))


@pytest.mark.slow
def test_these_files_are_on_the_card_and_no_others(card: Card) -> None:
    """A new file belongs into README's and ``theft.ON_THE_CARD``'s list if it has something of people in it."""
    assert {name for name in card.files if not name.endswith(("-wal", "-shm"))} == {
        "anchor.json",
        "state/core/box.key", "state/core/vouched.json", "state/core/kept.json", "state/core/journal-ID.db",
        "state/list/current", "state/list/list-ID-1.db", "state/list/proof.json",
        "state/sync/identity.json", "state/sync/sent.json", "state/sync/enrolling.json",
    }  # fmt: skip


@pytest.mark.slow
def test_the_card_shows_labels_dwellings_plates_passages_and_guards(card: Card) -> None:
    listed = card.files["state/list/list-ID-1.db"].read_bytes()
    for planted in ("王**", "3-2-501", "鄂A12345", card.number, GUARD, "赵敏", "community"):
        assert planted.encode() in listed, planted
    assert b'"decided"' in card.files["state/core/journal-ID.db"].read_bytes()
    assert "token" in json.loads(card.files["state/sync/identity.json"].read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("planted", ["王小明", "1380000", "E0000", "武汉", PIN, LONG_PIN])
def test_the_card_shows_no_full_name_telephone_document_journey_or_pin(card: Card, planted: str) -> None:
    assert planted.encode() not in card.all


@pytest.mark.slow
def test_with_the_box_key_a_thief_has_a_verifier_to_try_pins_on(card: Card) -> None:
    """Which is why there is a command for it."""
    verifier = card.box().decrypt(card.accounts()[GUARD].verifier["g1"])
    assert argon2id.verify(verifier, PIN.encode())
    assert verifier.startswith(b"$argon2id$v=19$m=65536,t=3,p=1$")


@pytest.mark.slow
def test_a_stopped_account_has_no_verifier_on_the_card(card: Card) -> None:
    assert card.accounts()["吴刚"].verifier == {}


@pytest.mark.slow
def test_keys_and_token_are_their_owners_alone(card: Card) -> None:
    for name in ("state/core/box.key", "state/core/vouched.json", "state/core/kept.json", "state/sync/identity.json"):
        assert stat.S_IMODE(card.files[name].stat().st_mode) == 0o600, name
    for folder in ("core", "sync"):
        assert stat.S_IMODE((card.root / "state" / folder).stat().st_mode) == 0o700, folder


# The other gates


class Post:
    """A gate of the compound with its guards' sign-in."""

    def __init__(self, world: World, folder: Path, name: str) -> None:
        folder.mkdir()
        self.gate = TrueGate(world, folder, name=name)
        kept = gate_parts.kept_tries(folder)
        self.sessions = GuardSessions(lambda: self.gate.mirror.vouched.accounts, lambda: world.now_ms / 1000, kept)

    def sign_in(self, name: str, pin: str) -> str:
        return self.sessions.sign_in(SignIn(name, pin, "10.0.0.5")).token

    def refusal(self, name: str, pin: str) -> str:
        with pytest.raises(Refused) as refused:
            self.sign_in(name, pin)
        return str(refused.value)

    def signed_in(self, token: str) -> bool:
        try:
            return bool(self.sessions.who(token))
        except Refused:
            return False


@pytest.fixture
def yard(world: World, tmp_path: Path) -> Iterator[tuple[Post, Post]]:
    """The gate that is stolen, and another; one guard of both, one of the other alone."""
    east, west = Post(world, tmp_path / "east", "东门"), Post(world, tmp_path / "west", "西门")
    guards.add_guard(world.centre, 7, "赵敏", "supervisor", LONG_PIN, "test")
    guards.add_guard(world.centre, 7, "李强", "guard", PIN, "test", ["g2"])
    for post in (east, west):
        post.gate.follow()
    yield east, west
    east.gate.close()
    west.gate.close()


def test_an_account_of_one_gate_signs_in_there_and_nowhere_else(yard: tuple[Post, Post]) -> None:
    east, west = yard
    assert west.sign_in("李强", PIN)
    assert east.refusal("李强", PIN) == "wrong_pin"
    account: Account = east.gate.mirror.vouched.accounts["李强"]
    assert account.verifier is None


def test_once_reported_the_stolen_pin_is_good_nowhere_and_sessions_by_it_end(
    world: World, yard: tuple[Post, Post]
) -> None:
    _, west = yard
    hers, his = west.sign_in("赵敏", LONG_PIN), west.sign_in("李强", PIN)
    theft.report(world.centre, 7, "g1", "test")
    assert west.signed_in(hers), "a gate that is cut off does not know yet"
    west.gate.follow()
    assert (west.signed_in(hers), west.signed_in(his)) == (False, True)
    assert {west.refusal(name, "999999") for name in ("赵敏", "李强", "nobody")} == {"pins_withdrawn"}
    assert west.refusal("赵敏", LONG_PIN) == "pins_withdrawn"
    assert west.sign_in("李强", PIN), "his PIN was not on the stolen card"


def test_a_new_pin_lets_a_guard_in_during_the_same_shift(world: World, yard: tuple[Post, Post]) -> None:
    _, west = yard
    theft.report(world.centre, 7, "g1", "test")
    drawn = guards.draw_new_pin(world.centre, 7, "a1", "test")
    west.gate.follow()
    assert west.sign_in("赵敏", drawn.pin)
    assert west.refusal("赵敏", LONG_PIN) == "wrong_pin"


def test_the_stolen_gate_wipes_its_keys_should_it_come_back(world: World, yard: tuple[Post, Post]) -> None:
    east, _ = yard
    theft.report(world.centre, 7, "g1", "test")
    east.gate.sync.run(400)
    east.gate.mirror.refresh()
    assert east.gate.mirror.vouched.withdrawn
