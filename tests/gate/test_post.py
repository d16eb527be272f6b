"""Who stands at the post: PINs, sessions, and what wrong tries cost."""

from __future__ import annotations

import nacl.pwhash
import pytest

from kiosk.channel import Refused
from kiosk.core.guards.post import LONGEST_LOCK_S, MAX_SESSIONS, SESSION_S, TRIES_ANYWHERE, GuardSessions
from kiosk.core.vouching import Account
from kiosk.verbs import SignIn


def verifier(pin: str) -> bytes:
    argon = nacl.pwhash.argon2id
    return bytes(argon.str(pin.encode(), argon.OPSLIMIT_MIN, argon.MEMLIMIT_MIN)).rstrip(b"\0")


VERIFIER = verifier("2468")


class Yard:
    """A post with two guards, and time that is told to go on."""

    def __init__(self) -> None:
        self.accounts = {
            "lin": Account("1", "Lin", "guard", VERIFIER),
            "zhao": Account("2", "Zhao", "supervisor", VERIFIER),
            "sealed": Account("3", "Sealed", "guard", None),
        }
        self.now = 100.0
        self.post = GuardSessions(lambda: self.accounts, lambda: self.now)

    def sign_in(self, name: str = "Lin", pin: str = "2468", address: str = "10.0.0.5") -> str:
        return self.post.sign_in(SignIn(name, pin, address)).token

    def refusal(self, name: str = "Lin", pin: str = "wrong", address: str = "10.0.0.5") -> str:
        with pytest.raises(Refused) as refused:
            self.sign_in(name, pin, address)
        return str(refused.value)


@pytest.fixture
def yard() -> Yard:
    return Yard()


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


def test_without_accounts_nobody_can_sign_in_and_is_told_why(yard: Yard) -> None:
    yard.accounts = {}
    assert yard.refusal() == "no_accounts"


def test_five_wrong_tries_lock_the_address_for_a_minute_also_for_the_right_pin(yard: Yard) -> None:
    assert [yard.refusal() for _ in range(6)] == ["wrong_pin"] * 5 + ["locked_out:61"]
    assert yard.refusal(pin="2468").startswith("locked_out")
    yard.now += 60.0
    assert yard.sign_in()


def test_names_that_do_not_exist_lock_out_just_the_same(yard: Yard) -> None:
    assert [yard.refusal("Nobody") for _ in range(6)] == [yard.refusal("Lin", address="10.0.0.6") for _ in range(6)]


def test_trying_many_names_from_one_address_is_no_way_around(yard: Yard) -> None:
    tries = [yard.refusal(f"guess {n}") for n in range(6)]
    assert tries[4:] == ["wrong_pin", "locked_out:61"]


def test_a_stranger_cannot_lock_out_the_shift(yard: Yard) -> None:
    for _ in range(9):
        yard.refusal(address="192.168.9.9")
    assert yard.sign_in(address="10.0.0.5")


def test_a_thousand_addresses_get_twenty_tries_in_a_quarter_of_an_hour(yard: Yard) -> None:
    yard.sign_in()
    answers = [yard.refusal(address=f"10.1.{n // 250}.{n % 250}") for n in range(100)]
    assert answers == ["wrong_pin"] * TRIES_ANYWHERE + ["locked_out:901"] * (100 - TRIES_ANYWHERE)
    assert yard.sign_in(), "the shift goes on from where it has signed in before"
    yard.now += LONGEST_LOCK_S
    assert yard.sign_in(address="10.9.9.9")


def test_right_pins_from_new_addresses_use_nothing_up(yard: Yard) -> None:
    for n in range(3 * TRIES_ANYWHERE):
        yard.sign_in(address=f"10.2.0.{n}")


def test_every_further_lock_is_twice_as_long_up_to_a_quarter_of_an_hour(yard: Yard) -> None:
    locks = []
    for _ in range(7):
        for _ in range(5):
            yard.refusal()
        locks.append(int(yard.refusal().removeprefix("locked_out:")) - 1)
        yard.now += locks[-1]
    assert locks == [60, 120, 240, 480, LONGEST_LOCK_S, LONGEST_LOCK_S, LONGEST_LOCK_S]


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
