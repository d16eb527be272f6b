#!/usr/bin/env bash
# In the guest on a kernel with simulated pins: the header's chip under other numbers and labels, and pins that the
# kernel holds. The core alone: it needs nothing of the others.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=words.sh
source "$(dirname "$0")/words.sh"
# shellcheck source-path=SCRIPTDIR source=chips.sh
source "$(dirname "$0")/chips.sh"

core_runs() { systemctl --quiet is-active gate-kiosk-core; }

begin() {
  systemctl restart gate-kiosk-core || true
  eventually 30 core_runs
}

opens() {
  local seen
  seen=$(watch press)
  [[ $seen == "rose 1, fell 1" ]]
}

says() { journalctl --no-pager -o cat -b -u gate-kiosk-core | grep -qF "$1"; }

finds() { { well 2>&1 || true; } | grep -qF "$1"; }

systemctl stop gate-kiosk.target
own_chip "gpio-brcmstb@107d508500"
header_chip
with_pins

header_chip_again pinctrl-rp1
begin
expect "a Pi 5's header on $CHIP, another chip before it" "$CHIP" test "$CHIP" != gpiochip0
expect "  the button opens" "" opens
expect "  check names it" "" finds "ok  board      unknown, header on $CHIP [pinctrl-rp1]"

systemctl stop gate-kiosk-core
no_own_chip
expect "there is no gpiochip0" "$(echo /dev/gpiochip*)" test ! -e /dev/gpiochip0
begin
expect "  the button opens" "" opens

systemctl stop gate-kiosk-core
header_chip_again pinctrl-rp1 24=gpio-fan 13=ir-receiver
begin
expect "a lamp and an input that the kernel holds: the core runs" "" core_runs
expect "  the button opens" "" opens
expect "  the fault light is lit" "" is "$(level 12)" 1
expect "  check names the lamp and who holds it" "" finds "BAD pins       entry: yellow: GPIO24 cannot be had: 'GPIO busy', held by 'gpio-fan'"
expect "  check names the input and who holds it" "" finds "call: GPIO13 cannot be had: 'GPIO busy', held by 'ir-receiver'"
well || true

systemctl stop gate-kiosk-core
own_chip "one more"
header_chip_again "a chip unknown"
systemctl restart gate-kiosk-core || true
expect "two chips that nobody knows: the core says what it looked for" "" \
  eventually 30 says "looked for pinctrl-rp1, pinctrl-bcm2711, pinctrl-bcm2835; there is gpiochip"
expect "  and what was there" "" says "[a chip unknown]"
systemctl stop gate-kiosk-core
no_own_chip
begin
expect "the only chip of a board that is no Pi is taken: the button opens" "" opens
journalctl --no-pager -o cat -b -n 40 -u gate-kiosk-core
