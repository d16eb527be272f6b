"""Who stands at the post: PINs, sessions, and what wrong tries cost."""

from __future__ import annotations

from pathlib import Path

import nacl.pwhash
import pytest

from kiosk.channel import Refused
from kiosk.core.guards.post import MAX_SESSIONS, SESSION_S, GuardSessions, stand_in
from kiosk.core.guards.tries import (
    AT_ONCE,
    HOUR_S,
    OF_A_NAME,
    OF_AN_ADDRESS,
    PAUSE_S,
    PLACES_OF_A_NAME,
    SLOWED_S,
    Tries,
)
from kiosk.core.vouching import Account
from kiosk.verbs import SignIn
from tests.fixtures.gate_parts import kept_sessions, kept_tries


def verifier(pin: str) -> bytes:
    argon = nacl.pwhash.argon2id
    return bytes(argon.str(pin.encode(), argon.OPSLIMIT_MIN, argon.MEMLIMIT_MIN)).rstrip(b"\0")


VERIFIER = verifier("2468")


class Yard:
    """A post with two guards, and time that is told to go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.accounts = {
            "lin": Account("1", "Lin", "guard", VERIFIER),
            "zhao": Account("2", "Zhao", "supervisor", VERIFIER),
            "sealed": Account("3", "Sealed", "guard", None),
        }
        self.now = 100.0
        self.start()

    def start(self, boot: str = "boot-1") -> None:
        kept = kept_sessions(self.folder)
        self.post = GuardSessions(lambda: self.accounts, lambda: self.now, kept_tries(self.folder), kept, boot)

    def is_in(self, token: str) -> bool:
        try:
            return bool(self.post.who(token))
        except Refused:
            return False

    def sign_in(self, name: str = "Lin", pin: str = "2468", address: str = "10.0.0.5") -> str:
        return self.post.sign_in(SignIn(name, pin, address)).token

    def refusal(self, name: str = "Lin", pin: str = "wrong", address: str = "10.0.0.5") -> str:
        with pytest.raises(Refused) as refused:
            self.sign_in(name, pin, address)
        return str(refused.value)

    def wrong(self, times: int, name: str = "Lin", address: str = "10.0.0.5") -> int:
        """How many of so many tries were looked at; between them is always time enough."""
        looked_at = 0
        for _ in range(times):
            looked_at += self.refusal(name, address=address) == "wrong_pin"
            self.now += PAUSE_S
        return looked_at


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


@pytest.mark.parametrize("name", ["Lin", "lin", " LIN "])
def test_a_guard_signs_in_by_name_and_pin(yard: Yard, name: str) -> None:
    session = yard.post.sign_in(SignIn(name, "2468"))
    assert (session.name, session.role, session.ends_in_s) == ("Lin", "guard", SESSION_S)
    assert yard.post.who(session.token).name == "Lin"


@pytest.mark.parametrize(
    ("name", "pin"),
    [("Lin", "2469"), ("Lin", ""), ("Nobody", "2468"), ("", ""), ("Sealed", "2468"), ("Lin", "\ud800"), ("林", "1")],
)
def test_whatever_is_wrong_the_answer_is_the_same(yard: Yard, name: str, pin: str) -> None:
    assert yard.refusal(name, pin) == "wrong_pin"


def test_a_pin_is_checked_behind_whatever_opens_a_lane(yard: Yard) -> None:
    def niceness() -> dict[str, int]:
        stats = {path.parent.name: path.read_text() for path in Path("/proc/self/task").glob("*/stat")}
        return {thread: int(stat.rpartition(")")[2].split()[16]) for thread, stat in stats.items()}

    before = niceness()
    yard.sign_in()
    begun = [nice for thread, nice in niceness().items() if thread not in before]
    assert begun.count(10) == 1, "one checks the PIN"
    assert set(begun) <= {0, 10}, "another writes what is kept"


def test_a_name_without_a_pin_takes_as_long_as_any_other_of_them_does() -> None:
    """Older verifiers are checked faster. Which one stands in for a name is fixed, and nobody can reckon it."""
    old, new = Account("1", "Lin", "guard", b"old"), Account("2", "Zhao", "guard", b"new")
    names = [f"nobody{number}" for number in range(64)]

    def standing_in(secret: bytes) -> list[bytes]:
        return [stand_in([old, new, Account("3", "Sealed", "guard", None)], name, secret) for name in names]

    first = standing_in(b"1")
    assert set(first) == {b"old", b"new"} and standing_in(b"1") == first and standing_in(b"2") != first


def test_without_accounts_nobody_can_sign_in_and_is_told_why(yard: Yard) -> None:
    yard.accounts = {}
    assert yard.refusal() == "no_accounts"


def test_five_wrong_tries_lock_the_name_for_a_minute_also_for_the_right_pin(yard: Yard) -> None:
    assert [yard.refusal() for _ in range(6)] == ["wrong_pin"] * 5 + ["locked_out:61"]
    assert yard.refusal(pin="2468").startswith("locked_out")
    yard.now += 60.0
    assert yard.sign_in()


def test_names_that_do_not_exist_lock_out_just_the_same(yard: Yard) -> None:
    assert [yard.refusal("Nobody") for _ in range(6)] == [yard.refusal("Lin", address="10.0.0.6") for _ in range(6)]


def test_trying_many_names_from_one_address_is_no_way_around(yard: Yard) -> None:
    tries = [yard.refusal(f"guess {n}") for n in range(AT_ONCE + 1)]
    assert tries[-2:] == ["wrong_pin", "locked_out:361"]


def test_each_further_wrong_try_costs_twice_the_minutes_of_the_one_before(yard: Yard) -> None:
    waits = []
    for _ in range(OF_A_NAME):
        while (answer := yard.refusal()) != "wrong_pin":
            waits.append(int(answer.removeprefix("locked_out:")) - 1)
            yard.now += waits[-1]
    assert waits == [60, 120, 240, 480, 960]


# --- several people at one computer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False], ids=["who was here before", "who is here for the first time"])
@pytest.mark.parametrize("wrong", [5, OF_A_NAME])
def test_one_guards_wrong_pins_keep_no_other_guard_out_at_the_same_computer(
    yard: Yard, wrong: int, known: bool
) -> None:
    """Five wrong PINs of one guard locked out the supervisor who stood beside him."""
    if known:
        yard.sign_in("Zhao")
    while wrong:
        wrong -= yard.refusal() == "wrong_pin"
        assert yard.sign_in("Zhao"), "not even for a moment"
        yard.now += PAUSE_S / 2
    assert yard.refusal(pin="2468").startswith("locked_out")


def test_strangers_who_try_any_names_at_a_posts_computer_keep_nobody_out_who_signed_in_there(yard: Yard) -> None:
    for name in ("Lin", "Zhao"):
        yard.sign_in(name)
    for n in range(3 * OF_AN_ADDRESS):
        yard.refusal(f"guess {n}")
    assert yard.sign_in("Zhao") and yard.sign_in("Lin")


def test_strangers_make_a_first_sign_in_at_their_address_wait_six_minutes_at_most(yard: Yard) -> None:
    for n in range(3 * OF_AN_ADDRESS):
        yard.refusal(f"guess {n}")
    left_s = int(yard.refusal("Zhao", "2468").removeprefix("locked_out:"))
    assert left_s == SLOWED_S + 1
    yard.now += left_s
    assert yard.sign_in("Zhao")


def test_a_passer_by_who_tries_the_supervisors_own_name_costs_her_minutes_and_not_the_hour(yard: Yard) -> None:
    yard.sign_in("Zhao")
    for _ in range(24):  # two minutes at the keyboard, a try every five seconds
        yard.refusal("Zhao")
        yard.now += 5
    yard.now += 2 * PAUSE_S
    assert yard.sign_in("Zhao")


@pytest.mark.parametrize("step_s", [13.0, 61.0])
def test_all_guesses_of_an_hour_have_an_end_over_every_name_and_address(tmp_path: Path, step_s: float) -> None:
    """Somebody who knows all names, tries at each post's computer, and has as many addresses of their own as they like:
    ten for each name from strange addresses, and ten for each place where a guard of that name signed in."""
    now = 0.0
    tries = Tries(kept_tries(tmp_path), lambda: now)
    names, posts = [f"guard {n}" for n in range(4)], ["10.0.0.5", "10.0.0.6"]
    for place in [(name, post) for name in names for post in posts][:-1]:
        tries.spend(*place, exists=True)
        tries.forgive(*place)
    looked_at: list[tuple[float, str]] = []
    turn = 0
    while now < 2 * HOUR_S:
        turn += 1
        for name in names:
            for address in [*posts, f"172.16.0.{turn % 40}"]:
                looked_at += [(now, address)] * (tries.spend(name, address, exists=True) == 0)
        now += step_s

    def most_in_an_hour(times: list[float]) -> int:
        return max(sum(begin <= at < begin + HOUR_S for at in times) for begin in times)

    places = len(names) * len(posts) - 1
    assert most_in_an_hour([at for at, _ in looked_at]) <= OF_A_NAME * (len(names) + places)
    strange = [at for at, address in looked_at if address not in posts]
    assert strange and most_in_an_hour(strange) <= OF_A_NAME * len(names)


@pytest.mark.parametrize("step_s", [1.0, 181.0, 361.0])
def test_one_address_has_twenty_guesses_an_hour_at_names_that_never_signed_in_there(
    tmp_path: Path, step_s: float
) -> None:
    now = 0.0
    tries = Tries(kept_tries(tmp_path), lambda: now)
    looked_at: list[float] = []
    while now < 2.5 * HOUR_S:
        looked_at += [now] * (tries.spend(f"name {now}", "10.0.0.9", exists=False) == 0)
        now += step_s
    most = max(sum(begin <= at < begin + HOUR_S for at in looked_at) for begin in looked_at)
    assert AT_ONCE - 1 <= most <= OF_AN_ADDRESS


def test_a_crowd_of_names_makes_no_wrong_try_for_a_guards_name_forgotten(tmp_path: Path) -> None:
    tries = Tries(kept_tries(tmp_path), lambda: 0.0)
    tries.spend("lin", "10.0.0.5", exists=True)
    for n in range(600):  # two doors each
        tries.spend(f"crowd {n}", f"10.1.{n // 250}.{n % 250}", exists=False)
    assert [tries.spend("lin", f"10.0.1.{n}", exists=True) for n in range(5)] == [0, 0, 0, 0, PAUSE_S]


# --- strangers elsewhere, and restarts --------------------------------------------------------------------------------


def test_a_stranger_cannot_lock_out_the_shift(yard: Yard) -> None:
    yard.sign_in(address="10.0.0.5")
    assert yard.wrong(60, address="192.168.9.9") == OF_A_NAME
    assert yard.sign_in(address="10.0.0.5")


def test_strangers_cannot_lock_out_the_shift_after_a_restart_either(yard: Yard) -> None:
    yard.sign_in(address="10.0.0.5")
    yard.wrong(60, address="192.168.9.9")
    yard.start()
    assert yard.refusal(address="192.168.9.8").startswith("locked_out")
    assert yard.sign_in(address="10.0.0.5")


def test_a_name_has_ten_tries_an_hour_from_all_strange_addresses_together(yard: Yard) -> None:
    answers = [yard.refusal(address=f"10.1.{n // 250}.{n % 250}") for n in range(5)]
    for minute in range(59):
        yard.now += PAUSE_S
        answers += [yard.refusal(address=f"10.2.{minute}.{n}") for n in range(5)]
    assert answers.count("wrong_pin") == OF_A_NAME
    yard.now += HOUR_S
    assert yard.sign_in(address="10.9.9.9")


def test_an_address_has_twenty_tries_an_hour_whatever_the_names(yard: Yard) -> None:
    assert AT_ONCE < sum(yard.wrong(1, f"guess {n}") for n in range(60)) <= OF_AN_ADDRESS
    yard.refusal("guess 60")
    assert yard.refusal("Zhao", "2468").startswith("locked_out")


def test_a_restart_gives_nobody_new_tries_for_a_name(yard: Yard) -> None:
    tried = 0
    for n in range(20):
        tried += yard.wrong(1, address=f"10.1.0.{n}")
        yard.start()
    assert tried == OF_A_NAME


def test_a_familiar_place_has_ten_tries_an_hour_of_its_own(yard: Yard) -> None:
    yard.sign_in()
    assert yard.wrong(60) == OF_A_NAME


def test_the_tries_of_a_name_have_an_end_however_many_places_it_knew(yard: Yard) -> None:
    places = [f"10.3.0.{n}" for n in range(3 * PLACES_OF_A_NAME)]
    for place in places:
        yard.sign_in(address=place)
    for place in places:
        yard.wrong(59, address=place)
        yard.now -= 59 * PAUSE_S
    yard.now += PAUSE_S
    assert all(yard.refusal(address=place).startswith("locked_out") for place in places)


def test_names_that_do_not_exist_leave_nothing_on_the_card(yard: Yard) -> None:
    yard.wrong(3, "Nobody")
    assert not (yard.folder / "tries.json").exists()


def test_right_pins_from_new_addresses_use_nothing_up(yard: Yard) -> None:
    for n in range(3 * OF_AN_ADDRESS):
        yard.sign_in(address=f"10.2.0.{n}")


def test_the_right_pin_forgives_the_wrong_tries_before_it(yard: Yard) -> None:
    for _ in range(3):
        assert [yard.refusal() for _ in range(4)] == ["wrong_pin"] * 4
        yard.sign_in()


@pytest.mark.parametrize(("seconds", "signed_in"), [(SESSION_S - 1, True), (SESSION_S, False)])
def test_a_session_ends_after_the_shift(yard: Yard, seconds: float, signed_in: bool) -> None:
    token = yard.sign_in()
    yard.now += seconds
    if signed_in:
        assert yard.post.who(token).ends_in_s == 1
    else:
        with pytest.raises(Refused, match="not_signed_in"):
            yard.post.who(token)


@pytest.mark.parametrize("token", ["", "nonsense", "\ud800", "x" * 10_000])
def test_a_token_that_was_never_given_is_nobodys(yard: Yard, token: str) -> None:
    with pytest.raises(Refused, match="not_signed_in"):
        yard.post.who(token)


def test_signing_out_ends_the_session_and_no_other(yard: Yard) -> None:
    mine, other = yard.sign_in(), yard.sign_in()
    assert mine != other
    for _ in range(2):
        yard.post.sign_out(mine)
    with pytest.raises(Refused):
        yard.post.who(mine)
    assert yard.post.who(other)


def test_a_withdrawn_account_ends_its_sessions_at_once(yard: Yard) -> None:
    token = yard.sign_in()
    del yard.accounts["lin"]
    with pytest.raises(Refused, match="not_signed_in"):
        yard.post.who(token)
    assert yard.refusal(pin="2468") == "wrong_pin"


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(Account("9", "Lin", "guard", VERIFIER), id="another person of the same name"),
        pytest.param(Account("1", "Lin", "guard", verifier("1357")), id="another PIN"),
    ],
)
def test_a_session_does_not_pass_to_another_account_or_outlive_its_pin(yard: Yard, changed: Account) -> None:
    token = yard.sign_in()
    yard.accounts["lin"] = changed
    with pytest.raises(Refused, match="not_signed_in"):
        yard.post.who(token)


def test_a_changed_role_holds_at_once(yard: Yard) -> None:
    token = yard.sign_in("Zhao")
    assert yard.post.supervisor(token).role == "supervisor"
    yard.accounts["zhao"] = Account("2", "Zhao", "guard", VERIFIER)
    with pytest.raises(Refused, match="not_allowed"):
        yard.post.supervisor(token)


def test_a_guard_is_no_supervisor_and_a_stranger_is_not_even_signed_in(yard: Yard) -> None:
    with pytest.raises(Refused, match="not_allowed"):
        yard.post.supervisor(yard.sign_in())
    with pytest.raises(Refused, match="not_signed_in"):
        yard.post.supervisor("")


def test_the_oldest_session_ends_when_there_are_too_many(yard: Yard) -> None:
    tokens = []
    for _ in range(MAX_SESSIONS + 1):
        tokens.append(yard.sign_in())
        yard.now += 1
    with pytest.raises(Refused):
        yard.post.who(tokens[0])
    assert yard.post.who(tokens[1]) and yard.post.who(tokens[-1])
    assert len(kept_sessions(yard.folder).now.sessions) == MAX_SESSIONS


WITHDRAWN = Account("2", "Zhao", "supervisor", None, pin_withdrawn=True)


def test_a_pin_withdrawn_after_a_theft_ends_its_sessions_and_no_others(yard: Yard) -> None:
    hers, his = yard.sign_in("Zhao"), yard.sign_in("Lin")
    yard.accounts["zhao"] = WITHDRAWN
    with pytest.raises(Refused, match="not_signed_in"):
        yard.post.who(hers)
    assert yard.post.who(his).name == "Lin" and yard.sign_in("Lin")


@pytest.mark.parametrize("name", ["Zhao", "Lin", "Sealed", "Nobody"])
def test_while_pins_are_withdrawn_every_wrong_one_is_told_so_whatever_the_name(yard: Yard, name: str) -> None:
    yard.accounts["zhao"] = WITHDRAWN
    assert yard.refusal(name) == "pins_withdrawn"


# --- a restart of the core --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "signed_in"), [(SESSION_S - 1, True), (SESSION_S, False)])
def test_a_session_outlasts_a_restart_of_the_core_and_not_the_shift(
    yard: Yard, seconds: float, signed_in: bool
) -> None:
    token = yard.sign_in("Zhao")
    yard.now += seconds
    yard.start()
    assert yard.is_in(token) == signed_in
    if signed_in:
        assert yard.post.supervisor(token).ends_in_s == 1


def test_signing_out_ends_a_session_for_good(yard: Yard) -> None:
    mine, other = yard.sign_in(), yard.sign_in()
    yard.post.sign_out(mine)
    yard.start()
    assert not yard.is_in(mine) and yard.is_in(other)


def test_what_ends_a_session_ends_it_over_a_restart_too(yard: Yard) -> None:
    lin, zhao = yard.sign_in(), yard.sign_in("Zhao")
    del yard.accounts["lin"]
    yard.accounts["zhao"] = Account("2", "Zhao", "supervisor", verifier("1357"))
    yard.start()
    assert not yard.is_in(lin) and not yard.is_in(zhao)


@pytest.mark.parametrize("boot", ["boot-2", ""])
def test_no_session_outlasts_a_boot_since_its_end_is_counted_in_seconds_of_one(yard: Yard, boot: str) -> None:
    token = yard.sign_in()
    yard.start(boot)
    assert not yard.is_in(token)


def test_the_file_opens_no_session_and_is_readable_by_the_core_alone(yard: Yard) -> None:
    tokens = [yard.sign_in() for _ in range(2)]
    path = yard.folder / "sessions.json"
    kept = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert not any(token.encode() in kept for token in tokens) and VERIFIER not in kept
    yard.start()
    assert all(yard.is_in(token) for token in tokens)


def test_a_damaged_file_lets_nobody_in_and_keeps_nobody_out(yard: Yard) -> None:
    token = yard.sign_in()
    path = yard.folder / "sessions.json"
    path.write_bytes(path.read_bytes().replace(b"boot-1", b"boot-2"))
    yard.start("boot-2")
    assert not yard.is_in(token) and yard.sign_in()
