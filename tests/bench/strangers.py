"""What a flood of slow and many requests leaves to others: a real centre, idle and attacked in turn.

    python tests/bench/strangers.py [--rounds 4] [--slow 500] [--rate 200]

The attack: that many slow heads and as many slow bodies, kept open and filled up, and so many requests a second, first
from one address, then from ten. Timed are the office's sign-in page and a residents' form, asked for from the
attackers' own first address and from another, and what a gate asks for. A question that is turned away is asked again,
as a browser does, and its time counts from the first try. Loopback only; each round lasts some seconds. By hand.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from nacl.public import PrivateKey
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from sync.protocol import Enrolled, EnrolRequest, read_enrolment_code  # noqa: E402
from sync.server.gates import fleet  # noqa: E402
from tests.fixtures.processes.centre import COMPOUND, Centre  # noqa: E402

PATIENCE_S = 10.0
ROUND_S = 6.0
WARM_UP_S = 3.0
DRIP_S = 2.0
HEAD = b"GET /sign-in HTTP/1.1\r\nHost: centre\r\nX-Slow: "
BODY = b"POST /sign-in HTTP/1.1\r\nHost: centre\r\nContent-Length: 4000\r\n\r\nname="
ASKERS = 20
ATTACKERS = [f"127.0.1.{number}" for number in range(1, 11)]
OTHER, GATE = "127.0.2.1", "127.0.3.1"


def ask(port: int, path: str, source: str, head: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S, source_address=(source, 0))
    with contextlib.closing(connection):
        connection.request("GET", path, headers=head)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def timed(port: int, path: str, source: str, head: dict[str, str]) -> float:
    """Seconds until it was answered; PATIENCE_S where it never was."""
    began = time.monotonic()
    while (took := time.monotonic() - began) < PATIENCE_S:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if ask(port, path, source, head) < 500:
                return time.monotonic() - began
        time.sleep(0.02)
    return took


# --- the attack, a program of its own ---------------------------------------------------------------------------------


def drip(port: int, sources: list[str], count: int, ends: float) -> None:
    """Keep as many slow heads and slow bodies open, dealt out over the addresses."""
    open_: dict[int, socket.socket] = {}
    while time.monotonic() < ends:
        for number in range(2 * count):
            try:
                if number not in open_:
                    source = sources[number % len(sources)]
                    open_[number] = socket.create_connection(("127.0.0.1", port), 2.0, (source, 0))
                    open_[number].sendall(HEAD if number % 2 else BODY)
                else:
                    open_[number].sendall(b"x")
            except OSError:
                open_.pop(number, socket.socket()).close()
        time.sleep(DRIP_S)


def flood(port: int, source: str, per_second: float, ends: float) -> None:
    while (began := time.monotonic()) < ends:
        with contextlib.suppress(OSError, http.client.HTTPException):
            ask(port, "/sign-in", source, {})
        time.sleep(max(0.0, 1 / per_second - (time.monotonic() - began)))


def attack(port: int, sources: list[str], slow: int, rate: int, seconds: float) -> None:
    ends = time.monotonic() + seconds
    threads = [threading.Thread(target=drip, args=(port, sources, slow, ends))]
    for number in range(ASKERS):
        source = sources[number % len(sources)]
        threads.append(threading.Thread(target=flood, args=(port, source, rate / ASKERS, ends)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def attacked(port: int, sources: list[str], slow: int, rate: int) -> Iterator[None]:
    seconds = str(WARM_UP_S + ROUND_S + PATIENCE_S)
    command = [sys.executable, __file__, "--attack", str(port), *sources]
    attacker = subprocess.Popen([*command, "--slow", str(slow), "--rate", str(rate), "--seconds", seconds])
    try:
        time.sleep(WARM_UP_S)
        yield
    finally:
        attacker.kill()
        attacker.wait()


# --- what is timed ----------------------------------------------------------------------------------------------------


def enrolled(centre: Centre) -> dict[str, str]:
    """The head of a gate's requests."""
    code = fleet.add_gate(centre.office, COMPOUND, "东门", "bench").enrolment_code
    token = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    request = EnrolRequest(
        v=1,
        secret=read_enrolment_code(code)[1],
        token_hash=hashlib.sha256(token.encode()).digest(),
        box_public=bytes(PrivateKey.generate().public_key),
    )
    connection = http.client.HTTPConnection("127.0.0.1", centre.port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.request("POST", "/api/v1/enrol", msgspec.json.encode(request))
        made = msgspec.json.decode(connection.getresponse().read(), type=Enrolled)
    return {"Authorization": f"Gate {made.compound}.{made.device}.{token}"}


def measure(port: int, gate: dict[str, str], seconds: float) -> dict[str, list[float]]:
    """Times of each question, asked in turn by three who do not wait for each other."""
    own = ATTACKERS[0]
    questions = {
        "sign-in page": ("/sign-in", OTHER, {}),
        "sign-in page, attackers' address": ("/sign-in", own, {}),
        "form": (f"/j/{COMPOUND}", OTHER, {}),
        "form, attackers' address": (f"/j/{COMPOUND}", own, {}),
        "gate's snapshot": ("/api/v1/snapshot", GATE, gate),
    }
    found: defaultdict[str, list[float]] = defaultdict(list)
    ends = time.monotonic() + seconds

    def go_on(name: str) -> None:
        while time.monotonic() < ends:
            found[name].append(timed(port, *questions[name]))
            time.sleep(0.05)

    threads = [threading.Thread(target=go_on, args=(name,)) for name in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def compare(rounds: int, slow: int, rate: int) -> None:
    found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        centre = Centre(Path(folder) / "centre")
        centre.start()
        try:
            gate = enrolled(centre)
            for _ in range(rounds):
                for name, sources in {"idle": [], "one": ATTACKERS[:1], "ten": ATTACKERS}.items():
                    going = attacked(centre.port, sources, slow, rate) if sources else contextlib.nullcontext()
                    with going:
                        for question, times in measure(centre.port, gate, ROUND_S).items():
                            found[question, name] += times
        finally:
            centre.close()
    print_table(found)


def print_table(found: dict[tuple[str, str], list[float]]) -> None:
    table = Table("ms, median / p99 (times asked)", "idle", "one address attacks", "ten addresses attack")
    for question in dict.fromkeys(question for question, _ in found):
        cells = []
        for name in ("idle", "one", "ten"):
            times = sorted(found[question, name])
            cells.append(
                f"{1000 * times[len(times) // 2]:.0f} / {1000 * times[int(len(times) * 0.99)]:.0f} ({len(times)})"
            )
        table.add_row(question, *cells)
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--slow", type=int, default=500)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0, help=argparse.SUPPRESS)
    parser.add_argument("--attack", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.attack:
        attack(int(asked.attack[0]), asked.attack[1:], asked.slow, asked.rate, asked.seconds)
    else:
        compare(asked.rounds, asked.slow, asked.rate)


if __name__ == "__main__":
    main()
