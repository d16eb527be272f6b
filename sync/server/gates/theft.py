"""A gate was stolen: what the thief can read on its card, and the one act that makes it worthless."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, select

from sync.server.centre import tables
from sync.server.centre.errors import NoSuchThing
from sync.server.centre.writing import Centre
from sync.server.gates import fleet, guards

ON_THE_CARD: tuple[tuple[str, str], ...] = (
    (
        "通行证的遮盖姓名、房号、车牌、证号和短码",
        "masked names, dwellings, plates, numbers and short codes of passes",
    ),
    ("哪些证要保安留意、看什么（不写原因）", "which passes are marked, and what guards look for, not why"),
    ("最近30天的通行记录：哪张证、何时、走哪个通道", "30 days of passages: which pass, when, by which lane"),
    (
        "保安交接班的留言，和改判时写的房号",
        "guards' notes for the next shift, and dwellings that they gave with a reason",
    ),
    ("保安的姓名和职责，和能试出PIN的校验值", "guards' names and roles, and verifiers from which PINs can be guessed"),
    ("设备的令牌和密钥，手机码的密钥", "the device's token and keys, and the code key of phone passes"),
    (
        "值班页面的证书和无线网络密码（如有）",
        "the certificate of the guards' page and the Wi-Fi password, if it had any",
    ),
)
"""(zh, en) What stands on a gate's card in a form that its thief can read; ``tests/wire/test_stolen_card.py`` looks."""
REMAINS: tuple[tuple[str, str], ...] = (
    (
        "给上面的保安发新PIN：当面说或打电话，不要发在群里。",
        "Give these guards a new PIN: in person or by phone, not in a group chat.",
    ),
    (
        "报警；并按规定报告个人信息泄露。",
        "Report the theft to the police, and the loss of personal data to whom the law names.",
    ),
    (
        "更换无线网络密码和值班页面的证书。",
        "Change the Wi-Fi password and the certificate of the guards' page.",
    ),
    ("装新设备时，要一个新的登记码。", "For a new device at this gate, get a new enrolment code."),
    (
        "断网的门口恢复联网后才知道，在那之前旧PIN在那里还能用。",
        "A gate that is cut off learns of it when it is back. Until then the old PINs work there.",
    ),
)
"""(zh, en) What is left for people to do."""


class Theft(msgspec.Struct, frozen=True, kw_only=True):
    """What was done; with ``dry_run``, what would be. ``devices`` are withdrawn and ``guards`` without a PIN by it.
    Empty where everything had been done before."""

    compound: int
    gate: str
    name: str
    devices: list[str]
    guards: list[guards.Guard]
    code_key_changed: bool
    dry_run: bool = False

    @property
    def nothing_left(self) -> bool:
        return not self.devices and not self.guards


def look(centre: Centre, compound_id: int, gate_id: str, replaced: bool = False) -> Theft:
    """What :func:`report` would do. Raises NoSuchThing."""
    with centre.store.read() as conn:
        gate = fleet.get_gate(conn, compound_id, gate_id)
        stolen, devices = _stolen(conn, gate, replaced)
        exposed = {row.account for row in guards.exposed(conn, compound_id, stolen)}
    found = [guard for guard in guards.list_guards(centre, compound_id) if guard.account in exposed]
    return Theft(compound=compound_id, gate=gate_id, name=gate.name, devices=devices, guards=found,
                 code_key_changed=bool(devices), dry_run=True)  # fmt: skip


def report(centre: Centre, compound_id: int, gate_id: str, by: str, replaced: bool = False) -> Theft:
    """The device of a gate was stolen: withdraw it, change the code key, and withdraw the PIN of every guard whose
    verifier it had, at every gate. One transaction; again, it finds nothing left to do. ``replaced``: stolen were
    devices that another has since taken the place of, which stays.

    Raises NoSuchThing where no device was ever enrolled, or replaced.
    """
    with centre.writing(compound_id, by) as writing:
        gate = fleet.get_gate(writing.conn, compound_id, gate_id)
        stolen, devices = _stolen(writing.conn, gate, replaced)
        for device in devices:
            fleet.withdraw_device(writing, gate_id, device)
        if devices:
            fleet.change_code_key(writing, centre)
        found = guards.withdraw_pins(writing, centre, gate_id, stolen)
        if devices or found:
            writing.audit("report-theft", f"{gate_id}/{','.join(devices)}: {','.join(g.account for g in found)}")
    return Theft(compound=compound_id, gate=gate_id, name=gate.name, devices=devices, guards=found,
                 code_key_changed=bool(devices))  # fmt: skip


def _stolen(conn: Connection, gate: fleet.Gate, replaced: bool) -> tuple[list[str], list[str]]:
    """The devices that may be in a thief's hands, and those of them to withdraw. With each that is withdrawn already
    the code key was changed."""
    columns = tables.device.c
    mine = (columns.compound_id == gate.compound, columns.gate_id == gate.gate)
    found = conn.execute(select(columns.device_id, columns.state).where(*mine).order_by(columns.enrolled_ms)).all()
    still = "replaced" if replaced else "active"
    stolen = [row.device_id for row in found if row.state in (still, "withdrawn")]
    if not stolen:
        raise NoSuchThing(en=f"Gate {gate.name} has no such device.")
    return stolen, [row.device_id for row in found if row.state == still]
