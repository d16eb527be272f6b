#!/usr/bin/env bash
# In the guest: the first hour as far as it goes without a board. firsthour.sh camera | cut | pins
# camera: the virtual camera, then the power cuts begin; cut: booted again after one; pins: on a kernel with gpio-sim.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=words.sh
source "$(dirname "$0")/words.sh"
# shellcheck source-path=SCRIPTDIR source=chips.sh
source "$(dirname "$0")/chips.sh"

STATE=/var/lib/gate-kiosk/selftest
WATCHER=gate-kiosk-selftest
CAMERA=(LD_PRELOAD=/opt/fakecam/fakecam.so PYTHONPATH=/opt/fakecam/stubs "LIBCAMERA_LOG_LEVELS=*:ERROR")

# selftest ANSWER OPTIONS...: somebody who always gives that answer. What it says is kept for the checks after it.
selftest() {
  local answer=$1
  shift
  { yes "$answer" 2>/dev/null || true; } | (
    export "${CAMERA[@]}"
    kiosk selftest "$@" --config /etc/gate-kiosk/kiosk.toml 2>&1
  ) | tee /tmp/said || true
}

verdict() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["results"][sys.argv[2]]["verdict"])' "$STATE/progress.json" "$1"; }

says() { grep -qF "$1" /tmp/said; }

report() { python3 -m zipfile -e "$STATE/first-hour.zip" /tmp/report && cat "/tmp/report/$1"; }

camera() {
  rm -rf "$STATE"
  python3 /opt/fakecam/fakecam-show /root/passes/valid.png
  expect "the gate is well, its reader has the camera" "" eventually 120 well
  selftest "" >/dev/null
  expect "selftest alone: asks nothing, says what is missing" "" says "SKIPPED: no gpio chip"
  selftest "" --first-hour --skip warm_boots --skip cold_boots --skip code_night --skip code_sun --skip code_led
  for step in in_force:entry frames:entry exposure:entry lens_lamp:entry lens_cap:entry focus:entry code_day:entry reader power_cuts; do
    result "$(verdict "$step" >/dev/null 2>&1 && echo PASS || echo FAIL)" "  $step was tried" "$(verdict "$step" 2>/dev/null || true)"
  done
  expect "  the code before the camera is read ten times of ten" "" is "$(verdict code_day:entry)" held
  expect "  the reader is fine as its unit afterwards" "" is "$(verdict reader)" held
  expect "  the power cuts have begun" "" says "it goes on from here"
  expect "  events are acknowledged and noted" "" eventually 20 test -s "$STATE/witness"
  sleep 5
  systemctl kill -s KILL "$WATCHER" # as the plug would: no time to say good-bye
}

cut() {
  expect "after the cut all four services are active" "" eventually 60 all_active
  expect "  the boot is noted" "" eventually 120 grep -q '"orderly":false' "$STATE/boots.json"
  systemctl stop "$WATCHER"
  selftest s --first-hour --skip warm_boots --skip cold_boots
  expect "the second run goes on where the first one was" "" says "(done before)"
  expect "  one cut of 50 is counted, and its journals are whole" "" says "NOT HELD: 1 of 50"
  selftest s --finish --skip memory_day >/dev/null
  expect "  --finish leaves no unit behind" "" test ! -e "/etc/systemd/system/$WATCHER.service"
  expect "  the report can be read" "" bash -c '! grep -q Traceback /tmp/said'
  report report.md
}

pins() {
  install -m 755 "$ENTRY/pinctrl.py" /usr/local/bin/pinctrl
  echo vimc.0 >/sys/bus/platform/drivers/vimc/unbind || true
  systemctl stop gate-kiosk.target
  own_chip "gpio-brcmstb@107d508500"
  header_chip
  with_pins
  header_chip_again pinctrl-rp1
  systemctl start gate-kiosk.target
  expect "with pins: the core is active" "" eventually 120 systemctl --quiet is-active gate-kiosk-core
  selftest "" --first-hour --skip power_cuts --skip warm_boots --skip cold_boots --skip frames --skip exposure --skip focus \
    --skip lens_lamp --skip lens_cap --skip code_day --skip code_night --skip code_sun --skip code_led --skip no_frames \
    --skip frames_back --skip in_force --skip reader --skip memory_day --skip screen_day
  expect "  the header's chip is found under its number" "$CHIP" is "$(verdict chip)" held
  for step in pins_running pins_killed lamp_taken:entry long_wires:entry; do
    expect "  $step holds" "" is "$(verdict "$step")" held
  done
  for step in pins_stopped relay_killed:entry; do
    expect "  $step was measured" "$(verdict "$step")" test "$(verdict "$step")" != skipped
  done
}

"$1"
