"""The sockets between the processes: hostile framing, sizes, unknown words, many and slow peers, coming back."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk import channel, verbs
from kiosk.channel import ChannelError, Client, Refused, Server, Verb, listen
from sync.protocol import Nonce


class Say(msgspec.Struct):
    text: str


SAY = Verb("say", Say, Say)
SLOW = Verb("slow", Say, Say)
REFUSE = Verb("refuse", Say, Say)
FAIL = Verb("fail", Say, Say)
OTHER = Verb("other", Say, Say)
CONFUSED = Verb("say", Say, Nonce)


class Peers:
    """A server on a socket of the test's own; ``hold`` keeps the answers to ``slow`` back until it is set."""

    def __init__(self, path: Path):
        self.path = path
        self.hold = threading.Event()
        self.slow_asked = threading.Event()
        self.server = self.start()
        self._clients: list[Client] = []

    def start(self) -> Server:
        def refuse(_: Say) -> Say:
            raise Refused("not_signed_in")

        def fail(_: Say) -> Say:
            raise RuntimeError("a secret detail")

        def slow(asked: Say) -> Say:
            self.slow_asked.set()
            self.hold.wait(10)
            return asked

        answers: dict[Verb[Any, Any], Callable[[Any], Any]] = {SAY: lambda a: a, SLOW: slow, REFUSE: refuse, FAIL: fail}
        return Server(listen(self.path), answers).start()

    def client(self, timeout: float = 5.0, **kwargs: Any) -> Client:
        made = Client(self.path, timeout, **kwargs)
        self._clients.append(made)
        return made

    def close(self) -> None:
        self.hold.set()
        for client in self._clients:
            client.close()
        self.server.close()


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[Peers]:
    made = Peers(tmp_path / "run" / "pair.sock")
    yield made
    made.close()


def raw(peers: Peers, *sent: bytes) -> bytes:
    """What comes back for these bytes until the server hangs up or says nothing more."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(str(peers.path))
        for part in sent:
            sock.sendall(part)
        sock.shutdown(socket.SHUT_WR)
        back = b""
        while chunk := _receive(sock):
            back += chunk
        return back


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except ConnectionResetError:
        return b""


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def request(**fields: Any) -> bytes:
    return framed(msgspec.msgpack.encode({"v": 1, "id": 1, "verb": "say", "body": {"text": "a"}} | fields))


def answer(back: bytes) -> dict[str, Any]:
    size = struct.unpack(">I", back[:4])[0]
    assert len(back) == 4 + size
    return dict(msgspec.msgpack.decode(back[4:]))


def test_question_is_answered(peers: Peers) -> None:
    assert peers.client().ask(SAY, Say("你好" * 1000)).text == "你好" * 1000


@pytest.mark.parametrize(
    "sent",
    [b"", b"\x00", b"\x00\x00\x00", b"\xff\xff\xff\xff", struct.pack(">I", channel.MAX_MESSAGE + 1), framed(b""),
     framed(b"\xc1" * 40), framed(b"GET / HTTP/1.1\r\n\r\n"), struct.pack(">I", 100) + b"short",
     framed(msgspec.msgpack.encode([1, 2])), framed(msgspec.msgpack.encode({"v": "1"})), framed(b"\x81" * 5000)],
)  # fmt: skip
def test_broken_framing_closes_that_connection_and_no_other(peers: Peers, sent: bytes) -> None:
    client = peers.client()
    client.ask(SAY, Say("before"))
    assert raw(peers, sent) == b""
    assert client.ask(SAY, Say("after")).text == "after"


@pytest.mark.parametrize(
    ("fields", "error"),
    [({"v": 2}, "unknown_version"), ({"verb": "other"}, "unknown_verb"), ({"verb": ""}, "unknown_verb"),
     ({"body": {}}, "malformed"), ({"body": {"text": 5}}, "malformed"), ({"body": None}, "malformed"),
     ({"verb": "refuse"}, "not_signed_in"), ({"verb": "fail"}, "fault")],
)  # fmt: skip
def test_question_that_is_not_understood_is_refused_with_a_code(
    peers: Peers, fields: dict[str, Any], error: str
) -> None:
    said = answer(raw(peers, request(**fields)))
    assert (said["ok"], said["error"]) == (False, error)
    assert b"secret" not in raw(peers, request(**fields))


def test_broken_body_of_a_known_verb_does_not_hurt_the_server(peers: Peers) -> None:
    body = b"\x84\xa1v\x01\xa2id\x01\xa4verb\xa3say\xa4body\x81\xa4text\xa2\xff\xff"  # not UTF-8
    raw(peers, framed(body))
    assert peers.client().ask(SAY, Say("after")).text == "after"


def test_verb_of_another_pair_is_refused(peers: Peers) -> None:
    client = peers.client()
    with pytest.raises(Refused, match="unknown_verb"):
        client.ask(OTHER, Say(""))
    assert client.ask(SAY, Say("on")).text == "on"


def test_refusal_and_fault_keep_the_connection(peers: Peers) -> None:
    client = peers.client()
    for verb, code in ((REFUSE, "not_signed_in"), (FAIL, "fault")):
        with pytest.raises(Refused, match=code):
            client.ask(verb, Say(""))
    assert client.ask(SAY, Say("on")).text == "on"


def test_answer_of_another_kind_is_a_channel_error(peers: Peers) -> None:
    client = peers.client()
    with pytest.raises(ChannelError):
        client.ask(CONFUSED, Say("no nonce"))
    assert client.ask(SAY, Say("on")).text == "on"


def test_message_just_under_the_limit_passes_and_one_over_it_hangs_up(peers: Peers) -> None:
    client = peers.client()
    room = channel.MAX_MESSAGE - 100
    assert len(client.ask(SAY, Say("x" * room)).text) == room
    with pytest.raises(ChannelError):
        client.ask(SAY, Say("x" * (channel.MAX_MESSAGE + 1)))
    assert client.ask(SAY, Say("on")).text == "on"


def test_client_does_not_swallow_an_answer_beyond_its_own_limit(peers: Peers) -> None:
    client = peers.client(limit=1000)
    with pytest.raises(ChannelError, match="limit"):
        client.ask(SAY, Say("x" * 2000))


def test_slow_peer_does_not_hold_up_another(peers: Peers) -> None:
    waiting = threading.Thread(target=lambda: peers.client(10).ask(SLOW, Say("")))
    waiting.start()
    assert peers.slow_asked.wait(5)
    with socket.socket(socket.AF_UNIX) as half:  # and one that never ends its message
        half.connect(str(peers.path))
        half.sendall(b"\x00\x00\x00\x10half")
        assert peers.client().ask(SAY, Say("at once")).text == "at once"
    peers.hold.set()
    waiting.join(5)
    assert not waiting.is_alive()


def test_more_peers_than_allowed_are_turned_away_and_let_in_when_there_is_room(peers: Peers) -> None:
    inside = [peers.client() for _ in range(channel.MAX_PEERS)]
    for client in inside:
        client.ask(SAY, Say(""))
    late = peers.client()
    with pytest.raises(ChannelError):
        late.ask(SAY, Say(""))
    assert inside[0].ask(SAY, Say("still here")).text == "still here"
    for client in inside:
        client.close()
    ends = time.monotonic() + 30
    while True:  # the server notices a hang-up on a thread of its own
        try:
            assert late.ask(SAY, Say("in")).text == "in"
            return
        except ChannelError:
            assert time.monotonic() < ends, "nobody was let in"


def test_many_threads_share_a_client(peers: Peers) -> None:
    client, wrong = peers.client(), []

    def ask(name: str) -> None:
        for n in range(50):
            if client.ask(SAY, Say(f"{name}{n}")).text != f"{name}{n}":
                wrong.append(name)

    threads = [threading.Thread(target=ask, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_client_finds_a_server_that_was_started_again(peers: Peers) -> None:
    client = peers.client()
    client.ask(SAY, Say("before"))
    peers.server.close()
    with pytest.raises(ChannelError):
        client.ask(SAY, Say("while it is gone"))
    peers.server = peers.start()
    assert client.ask(SAY, Say("after")).text == "after"


def test_nobody_there_is_a_channel_error(tmp_path: Path) -> None:
    client = Client(tmp_path / "none.sock")
    with pytest.raises(ChannelError):
        client.ask(SAY, Say(""))
    client.close()


def test_answer_that_does_not_come_in_time_is_not_taken_for_the_next_one(peers: Peers) -> None:
    client = peers.client()
    with pytest.raises(ChannelError):
        client.ask(SLOW, Say("late"), timeout=0.05)
    peers.hold.set()
    assert client.ask(SAY, Say("mine")).text == "mine"


def test_stale_socket_file_is_replaced_and_only_the_group_may_come(tmp_path: Path) -> None:
    path = tmp_path / "run" / "pair.sock"
    listen(path).close()
    second = listen(path)
    assert path.stat().st_mode & 0o777 == 0o660
    second.close()


def test_closing_twice_is_no_error(peers: Peers) -> None:
    client = peers.client()
    client.ask(SAY, Say(""))
    for _ in range(2):
        client.close()
        peers.server.close()


def test_every_verb_has_a_name_of_its_own() -> None:
    known = [value for value in vars(verbs).values() if isinstance(value, Verb)]
    assert len({verb.name for verb in known}) == len(known) > 10
