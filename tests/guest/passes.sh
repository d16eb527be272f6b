#!/usr/bin/env bash
# In the guest on a kernel with simulated pins: cards before the camera, the relay line under watch.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=words.sh
source "$(dirname "$0")/words.sh"
# shellcheck source-path=SCRIPTDIR source=chips.sh
source "$(dirname "$0")/chips.sh"

show() {
  python3 /opt/fakecam/fakecam-show "$1"
  sleep 8
  python3 /opt/fakecam/fakecam-show --blank
  sleep 3
}

# at_centre KIND OUTCOME REASON: such an event has arrived.
at_centre() {
  centre events 1 --json | python3 -c '
import json, sys
kind, outcome, reason = sys.argv[1:]
events = json.load(sys.stdin)
sys.exit(not any((e["kind"], e["outcome"], e["reason"]) == (kind, outcome, reason) for e in events))' "$@"
}

# own_network SERVICE: its network is not the machine's.
own_network() {
  [[ $(readlink "/proc/$(systemctl show -p MainPID --value "$1")/ns/net") != $(readlink /proc/1/ns/net) ]]
}

# The lab's kernel has toy cameras of its own, which would come first.
echo vimc.0 >/sys/bus/platform/drivers/vimc/unbind
python3 /opt/fakecam/fakecam-show --blank
own_chip "gpio-brcmstb@107d508500"
header_chip
with_pins
systemctl restart gate-kiosk.target
expect "the header's chip is not the first one" "$CHIP" test "$CHIP" != gpiochip0
expect "with pins: all four services are active" "" eventually 120 all_active
expect "the core has no network" "" own_network gate-kiosk-core
expect "the reader has no network" "" own_network gate-kiosk-reader
expect "with pins: check is content" "" eventually 180 well
well || true

expect "nothing before the camera: the relay rests" "" is "$(watch sleep 3)" "rose 0, fell 0"
seen=$(watch show /root/passes/valid.png)
expect "a valid pass: the relay rises and falls once" "$seen" is "$seen" "rose 1, fell 1"
seen=$(watch show /root/passes/revoked.png)
expect "a revoked pass: the relay rests" "$seen" is "$seen" "rose 0, fell 0"
seen=$(watch press)
expect "the guard's wired button: the relay rises and falls once" "$seen" is "$seen" "rose 1, fell 1"
systemctl stop gate-kiosk-reader gate-kiosk-guard gate-kiosk-sync
seen=$(watch press)
expect "  also when reader, page and sync are down" "$seen" is "$seen" "rose 1, fell 1"
systemctl start gate-kiosk.target
expect "the granted pass is known at the centre" "decided grant ok" eventually 90 at_centre decided grant ok
expect "the button's opening is known at the centre" "opened grant" eventually 90 at_centre opened grant ""
expect "the refused pass is known at the centre" "decided deny revoked" eventually 90 at_centre decided deny revoked
centre events 1
for service in "${SERVICES[@]}"; do journalctl --no-pager -o cat -b -n 8 -u "$service"; done
