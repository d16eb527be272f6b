"""Making a device a gate: the core's box key, the anchor that root writes, and sync's identity."""

from __future__ import annotations

from pathlib import Path

import msgspec
from nacl.public import PrivateKey

from kiosk.config import Config
from kiosk.core.vouching import Anchor
from sync.agent.enrol import EnrolError, enrol
from sync.durable import replace_durably
from sync.protocol import EPOCH, Enrolled, order_of


def enrol_device(config: Config, code: str, centre: str, ca: str, replace: bool) -> Anchor:
    """Enrol with a one-time code. Asking again with the same code after a lost answer is safe.

    Raises EnrolError in words for the technician; nothing that was there before is lost then.
    """
    path = Path(config.gate.anchor)
    if path.exists() and not replace:
        raise EnrolError(f"{path} is there: this device is a gate already. Use --replace to give it to another gate.")
    box = _box_key(config.core_state / "box.key")
    config.sync_state.mkdir(parents=True, exist_ok=True, mode=0o700)
    config.list_folder.mkdir(parents=True, exist_ok=True, mode=0o770)
    enrolled = enrol(centre, code, bytes(box.public_key), config.sync_state, ca=ca, replace=replace)
    anchor = anchor_of(enrolled)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_durably(path, msgspec.json.encode(anchor), mode=0o644)
    return anchor


def anchor_of(enrolled: Enrolled) -> Anchor:
    """Whom the device trusts from now on, and the epoch in force, if the root signed its order."""
    anchor = Anchor(enrolled.compound, enrolled.gate, enrolled.device, enrolled.root_public)
    said = enrolled.epoch
    if said is None or (said.purpose, said.compound) != (EPOCH, enrolled.compound):
        return anchor
    if not said.is_by(enrolled.root_public):
        return anchor
    return msgspec.structs.replace(anchor, epoch=said.epoch, epoch_order=order_of(said))


def _box_key(path: Path) -> PrivateKey:
    """The core's own key, made once; what the centre seals for this gate can be opened with it alone."""
    try:
        return PrivateKey(path.read_bytes())
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = PrivateKey.generate()
        replace_durably(path, bytes(key))
        return key
    except (OSError, ValueError, TypeError) as err:
        raise EnrolError(f"{path} cannot be read ({err}); remove it and enrol again") from err
