"""Gates of before epochs had an order, and of before rows had terms, against this centre: their own code of then reads
what the centre says now.

The code comes out of the repository's history. Where that is not there (a shallow clone), the tests skip themselves.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from sync.server.centre import tables
from sync.server.passes import compounds, passes
from tests.fixtures.centre import World

BEFORE_ORDER = "630ea1b"
BEFORE_TERMS = "53e800c"
REPOSITORY = Path(__file__).parents[2]
OLD_GATE = """
import json, sys
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
import msgspec
from nacl.public import PrivateKey
from kiosk.core.kept import Kept, Memory, Statements
from kiosk.core.mirror import Mirror
from kiosk.core.policy import Now
from kiosk.core.vouching import Anchor, Vouching
from sync.agent.lists import ListFolder
from sync.protocol import Enrolled, Page, SnapshotHead

folder = Path(sys.argv[1])
enrolled = msgspec.json.decode((folder / "enrol").read_bytes(), type=Enrolled)
box = PrivateKey((folder / "box").read_bytes())
lists = ListFolder(folder / "list", enrolled.compound, enrolled.root_public)
anchor = Anchor(enrolled.compound, enrolled.gate, enrolled.device, enrolled.root_public)
kept = Kept(folder / "kept.json", Memory()), Kept(folder / "vouched.json", Statements())
mirror = Mirror(lists._folder, Vouching(anchor, box, *kept), lambda: Now(utc_ms=1, state="untrusted", zone=UTC))

@contextmanager
def download(name, start):
    yield 0, [(folder / name).read_bytes()]

for name in sys.argv[2:]:
    raw = (folder / name).read_bytes()
    if name.startswith("snapshot"):
        lists.install(msgspec.json.decode(raw, type=SnapshotHead), download)
    else:
        lists.apply(msgspec.json.decode(raw, type=Page))
    mirror.refresh()
    vouched = mirror.vouched
    print(json.dumps({
        "keys": len(vouched.keys), "code_keys": len(vouched.code_keys), "passback": vouched.rules.passback_s,
        "forged": vouched.forged, "not_understood": vouched.not_understood, "unverified": mirror.unverified,
        "withdrawn": vouched.withdrawn, "rows": mirror.passes, "why": mirror.why,
    }))
"""


@pytest.fixture(scope="module", params=[BEFORE_ORDER, BEFORE_TERMS])
def old_code(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = subprocess.run(
        ["git", "-C", str(REPOSITORY), "archive", "--format=zip", request.param, "kiosk", "sync", "hardware"],
        capture_output=True, check=False,
    )  # fmt: skip
    if found.returncode:
        pytest.skip("the code of then is not in this clone")
    folder = tmp_path_factory.mktemp("old")
    with zipfile.ZipFile(io.BytesIO(found.stdout)) as packed:
        packed.extractall(folder)
    return folder


class OldGate:
    """What the centre said, kept as files, for a gate of then to read in order."""

    def __init__(self, world: World, folder: Path, code: Path):
        self.world, self.folder, self.code = world, folder, code
        (folder / "list").mkdir(parents=True)
        self.gate = world.gate()
        self.said: list[str] = []
        (folder / "enrol").write_bytes(msgspec.json.encode(self.gate.enrol().enrolled))
        (folder / "box").write_bytes(bytes(self.gate.box))

    def _get(self, address: str) -> bytes:
        with self.gate.get(f"/{address}") as answer:
            assert answer.status_code == 200
            return bytes(answer.data)

    def snapshot(self) -> None:
        head = self._get("snapshot")
        name = json.loads(head)["name"]
        (self.folder / name).write_bytes(self._get(f"snapshot/{name}"))
        signed = json.loads(head)["signed"]
        self._cursor = signed["epoch"], signed["revision"]
        self._keep("snapshot", head)

    def page(self) -> None:
        epoch, after = self._cursor
        raw = self._get(f"feed?epoch={epoch}&after={after}")
        self._cursor = epoch, json.loads(raw)["revision"]
        self._keep("page", raw)

    def _keep(self, what: str, raw: bytes) -> None:
        name = f"{what}{len(self.said)}"
        (self.folder / name).write_bytes(raw)
        self.said.append(name)

    def read(self) -> list[dict[str, Any]]:
        """What its core makes of all that was said."""
        environment = {**os.environ, "PYTHONPATH": str(self.code), "PYTHONDONTWRITEBYTECODE": "1"}
        ran = subprocess.run([sys.executable, "-c", OLD_GATE, str(self.folder), *self.said], cwd=self.folder,
                             env=environment, capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.slow
def test_a_gate_of_then_enrols_and_follows_snapshots_pages_and_new_epochs(
    world: World, tmp_path: Path, old_code: Path
) -> None:
    gate = OldGate(world, tmp_path / "gate", old_code)
    gate.snapshot()
    made = world.issue()
    with world.centre.writing(7, "test") as writing:
        mine = tables.pass_.c.number == made.number
        writing.conn.execute(update(tables.pass_).where(mine).values(terms='{"entries":1}', look="papers"))
    compounds.set_rule(world.centre, 7, "passback_s", "77", "test")
    gate.page()
    compounds.begin_epoch(world.centre, 7, "test")
    gate.snapshot()
    passes.revoke(world.centre, made.number, "test")
    compounds.set_rule(world.centre, 7, "passback_s", "88", "test")
    gate.page()
    told = gate.read()
    well = {"forged": 0, "not_understood": False, "unverified": [], "withdrawn": False, "why": ""}
    assert all(well.items() <= one.items() for one in told), told
    assert [one["passback"] for one in told] == [180, 77, 77, 88]
    assert [one["keys"] for one in told] == [told[0]["keys"]] * 4 and told[0]["keys"] >= 1
    assert told[0]["code_keys"] == 1 and told[2]["rows"] == 1
