"""``python -m kiosk.selftest.holder PIN on|off``: holds a pin as an output until its standard input ends.

It stands for a fan, an overlay or another program that has a pin of ours.
"""

from __future__ import annotations

import sys

from hardware import HardwareError, Wiring
from hardware.opening import open_lane


def main(pin: int, on: bool) -> None:
    try:
        parts = open_lane("selftest", Wiring(relay=pin), "")
    except HardwareError as err:
        sys.stdout.write(f"{err}\n")
        sys.exit(1)
    if on:
        parts.relay.on()
    sys.stdout.write("held\n")
    sys.stdout.flush()
    sys.stdin.read()
    parts.relay.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] == "on")
