"""A whole town on one machine: a centre, a gate with simulated parts, guards, and passes to hold up.

Everything at the centre is done through its command line, as an officer would.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import base45
import msgspec
from nacl.signing import SigningKey
from rich.console import Console

from kiosk.channel import Client
from kiosk.commands.check import ask_core
from kiosk.config import Config, load
from kiosk.demo.centre import START_S, Centre, DemoError, free_port
from kiosk.demo.officer import Officer
from kiosk.demo_passes import draw
from kiosk.together import Together, wait_until
from kiosk.verbs import GateState
from sync.credential import BODY_BYTES, MAGIC

COMPOUND, ELSEWHERE = 1, 2
TIMEZONE = "Asia/Shanghai"
"""Of a compound for which ``add-compound`` is told none."""
GUARD, SUPERVISOR, TECHNICIAN = "王强", "赵敏", "孙涛"
OFFICERS = {"property": "王敏", "clerk": "李娜", "town": "周洁"}
"""Who works at the centre: role → name."""
NEIGHBOURS = 600

console = Console()


class Town:
    """The running demo: ``centre``, ``device``, and what was issued. ``passes`` maps a word to a pass number."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.centre = Centre(folder / "centre")
        self.pins: dict[str, str] = {}
        self.passes: dict[str, str] = {}
        self.pictures = folder / "passes"
        self.outputs = folder / "simulated" / "outputs.jsonl"
        self.config_path = folder / "kiosk.toml"
        self._shown: list[dict[str, Any]] = []
        self.device: Together | None = None

    @property
    def config(self) -> Config:
        return load(self.config_path)

    @property
    def page(self) -> str:
        return f"http://{self.config.guard.host}:{self.config.guard.port}"

    # --- setting up ---

    def open(self) -> None:
        """Everything from nothing to a gate that decides. Raises DemoError."""
        with console.status("centre"):
            self.centre.start()
            self._found_compounds()
        with console.status("passes"):
            self._issue()
        with console.status("gate"):
            self._write_config()
            self._enrol()
            self.device = Together(self.config_path, self._logs())
            if not wait_until(self._is_ready, START_S):
                raise DemoError(f"the gate did not get ready; see {self._logs()}")

    def _logs(self) -> Path:
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        return logs

    def _found_compounds(self) -> None:
        say = self.centre.say
        say("add-compound", "幸福里", "Xingfu Li", "--id", str(COMPOUND))
        say("add-compound", "翠湖花园", "Cuihu Garden", "--id", str(ELSEWHERE))
        self.code = say("add-gate", str(COMPOUND), "东门")["enrolment_code"]
        for name, role in ((GUARD, "guard"), (SUPERVISOR, "supervisor"), (TECHNICIAN, "technician")):
            self.pins[name] = say("add-guard", str(COMPOUND), name, "--role", role, "--draw")["pin"]

    def _issue(self) -> None:
        self.pictures.mkdir(exist_ok=True)
        issue, home = self.issue, ("--dwelling", "3-2-501", "--household", "1")
        issue("resident", "住户卡", "Resident's card", "--holder", "张伟", *home, "--active")
        other = ("--holder", "吴敏", "--dwelling", "4-1-802", "--household", "2", "--active", "--phone")
        issue("neighbour", "邻居的卡", "Neighbour's card", *other)
        self._phone("neighbour", "邻居的手机", "Neighbour's phone")
        issue("vehicle", "车辆卡", "Car", "--kind", "vehicle", "--plate", "鄂A12345", *home, "--active")
        issue("visitor", "访客卡", "Visitor's card", "--kind", "visitor", "--holder", "陈晨", "--active")
        issue("revoked", "已挂失的卡", "Lost and revoked", "--holder", "李娜", "--dwelling", "5-1-302", "--active")
        self.centre.say("revoke", self.passes["revoked"])
        ended = ("--from", day(-3), "--until", day(-1))
        issue("expired", "已到期的卡", "Expired", "--holder", "刘洋", "--dwelling", "6-1-101", "--active", *ended)
        issue("printed", "未领取的卡", "Printed, not collected", "--holder", "黄磊", "--dwelling", "7-3-204")
        issue("foreign", "别的小区的卡", "Another compound's", "--holder", "周杰", "--active", of=ELSEWHERE)
        self._forge("resident", "伪造的卡", "Forged")
        self._list_pictures()

    def issue(self, word: str, title_zh: str, title_en: str, *options: str, of: int = COMPOUND) -> str:
        """Issue a pass and print its card; its number."""
        picture = self.pictures / f"{word}.png"
        number = str(self.centre.say("issue", str(of), *options, "--card", str(picture))["number"])
        self.passes[word] = number
        self._shown.append({"file": picture.name, "title_zh": title_zh, "title_en": title_en, "phone": None})
        return number

    def _phone(self, word: str, title_zh: str, title_en: str) -> None:
        code = self.centre.say("phone-code", self.passes[word])
        self.phone = {"text": code["text"], "secret": code["secret"]}
        name = f"{word}-phone.png"
        (self.pictures / name).write_bytes(draw(code["text"]))
        self._shown.append({"file": name, "title_zh": title_zh, "title_en": title_en, "phone": self.phone})

    def _forge(self, word: str, title_zh: str, title_en: str) -> None:
        text = forged(self.card_text(word))
        (self.pictures / "forged.png").write_bytes(draw(text, "q"))
        self._shown.append({"file": "forged.png", "title_zh": title_zh, "title_en": title_en, "phone": None})

    def card_text(self, word: str) -> str:
        """What the printed card says, read from its picture as any camera would."""
        from hardware.reading.decoder import QrDecoder
        from kiosk.reader.pictures import load_picture

        found = QrDecoder().decode(load_picture((self.pictures / f"{word}.png").read_bytes()))
        if not found:
            raise DemoError(f"the printed card {word}.png cannot be read")
        return found[0].text

    def _list_pictures(self) -> None:
        index = self.pictures / "index.json"
        index.write_bytes(msgspec.json.encode(self._shown))

    def _write_config(self) -> None:
        ready = (Path(__file__).parents[1] / "laptop.toml").read_text("utf-8")
        head = (
            f'[gate]\nstate = "{self.folder}/state"\nrun = "{self.folder}/run"\n'
            f'anchor = "{self.folder}/anchor.json"\n\n'
            f'[centre]\nurl = "{self.centre.url}"\n\n'
        )
        folders = f'[simulated]\nfolder = "{self.folder}/simulated"\npasses = "{self.pictures}"\n'
        body = ready.replace("[simulated]\n", folders).replace("port = 8080", f"port = {free_port()}")
        self.config_path.write_text(head + body, "utf-8")

    def _enrol(self) -> None:
        command = [sys.executable, "-m", "kiosk", "enrol", self.code, "--centre", self.centre.url]
        done = subprocess.run(  # noqa: S603 - our own program
            [*command, "--config", str(self.config_path)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DemoError(f"enrolment: {done.stderr.strip()}")

    # --- asking ---

    def client(self, pair: str, timeout: float = 10.0) -> Client:
        """A client of one of the device's sockets."""
        return Client(self.config.socket(pair), timeout)

    def state(self) -> GateState | None:
        """How the gate is; None while the core does not answer."""
        return ask_core(self.config)

    def _is_ready(self) -> bool:
        state = self.state()
        return bool(
            state
            and state.list_state == "fresh"
            and state.clock == "trusted"
            and all(lane.camera_ok for lane in state.lanes)
            and self._page_answers()
        )

    def _page_answers(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection((self.config.guard.host, self.config.guard.port), 1),
        ):
            return True
        return False

    def people(self) -> list[Officer]:
        """Add rooms and a desk, so that somebody can apply, and made-up neighbours in compounds of their own.

        Returns the accounts that work at the centre.
        """
        say, compound = self.centre.say, str(COMPOUND)
        rooms = ("--buildings", "1-6", "--units", "1-2", "--floors", "1-6", "--doors", "01-02")
        say("add-dwellings", compound, *rooms)
        place = ("--place-zh", "物业一楼", "--place-en", "Property office, ground floor")
        say("add-desk", compound, "一号台", "Desk 1", *place, "--from", "08:00", "--to", "22:00")
        say("demo-data", "--add", "--compounds", "2", "--residents", str(NEIGHBOURS))
        return [
            Officer(self.centre, role, say("add-staff", role, "--name", name, "--role", role, "--everywhere")["path"])
            for role, name in OFFICERS.items()
        ]

    def close(self) -> None:
        """Idempotent."""
        if self.device:
            self.device.stop()
            self.device = None
        self.centre.stop()


@contextlib.contextmanager
def open_town(state: Path | None) -> Iterator[Town]:
    """A running town, ended afterwards; its folder goes too unless one was named."""
    with contextlib.ExitStack() as stack:
        if state is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gate-demo-")))
        else:
            state.mkdir(parents=True, exist_ok=True)
            folder = state.resolve()
        try:
            town = Town(folder)
            stack.callback(town.close)
            town.open()
        except OSError as err:
            raise DemoError(f"{err.filename}: {err.strerror}") from err
        yield town


def forged(text: str) -> str:
    """Sign the credential with somebody else's key."""
    body = base45.b45decode(text[len(MAGIC) :])[:BODY_BYTES]
    signature = SigningKey.generate().sign(MAGIC.encode() + body).signature
    coded: bytes = base45.b45encode(body + signature)
    return MAGIC + coded.decode("ascii")


def day(offset: int) -> str:
    """The date so many days from today in the compound's time zone, by which the centre's commands read it."""
    return (datetime.now(ZoneInfo(TIMEZONE)) + timedelta(days=offset)).date().isoformat()
