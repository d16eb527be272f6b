# shellcheck shell=bash
# Simulated GPIO chips, their lines under watch. Sourced by the scripts in the guest, after words.sh.

SIM=/sys/kernel/config/gpio-sim

# own_chip LABEL: a chip of the board's own, which takes the lowest number. As a Pi 5 has them.
own_chip() {
  modprobe gpio-sim 2>/dev/null || true
  mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
  mkdir -p "$SIM/own/bank0"
  echo 4 >"$SIM/own/bank0/num_lines"
  echo "$1" >"$SIM/own/bank0/label"
  echo 1 >"$SIM/own/live"
}

no_own_chip() { echo 0 >"$SIM/own/live"; }

# header_chip: makes the header's chip, with a board to it.
header_chip() {
  /mnt/share/gpio/gpio-sim-up >/dev/null
  find_lines
}

# header_chip_again LABEL [LINE=HOLDER...]: the same chip with another label, and lines that the kernel holds.
header_chip_again() {
  local bank=$SIM/pi/bank0 held device
  echo 0 >"$SIM/pi/live"
  echo "$1" >"$bank/label"
  rmdir "$bank"/line*/hog 2>/dev/null || true
  for held in "${@:2}"; do
    mkdir -p "$bank/line${held%%=*}/hog"
    echo "${held#*=}" >"$bank/line${held%%=*}/hog/name"
  done
  echo 1 >"$SIM/pi/live"
  device=/dev/$(cat "$bank/chip_name")
  eventually 10 test -e "$device"
  chgrp gpio "$device"
  chmod 660 "$device"
  find_lines
}

find_lines() {
  CHIP=$(cat "$SIM/pi/bank0/chip_name")
  LINES_FOLDER=/sys/devices/platform/$(cat "$SIM/pi/dev_name")/$CHIP
  echo pull-up >"$LINES_FOLDER/sim_gpio27/pull"
}

level() { cat "$LINES_FOLDER/sim_gpio$1/value"; }

# with_pins: the lane has its pins from now on.
with_pins() { sed -i '/^\[\[lane\]\]/,/^\[\[camera/ s/part = "simulated"/part = "gpiozero"/' /etc/gate-kiosk/kiosk.toml; }

# watch COMMAND...: prints how often the relay rose and fell while the command ran.
watch() {
  local counts
  counts=$(mktemp)
  python3 "$ENTRY/edges.py" "$LINES_FOLDER/sim_gpio17/value" "$counts" &
  local watcher=$!
  eventually 30 test -s "$counts"
  "$@" >&2
  kill "$watcher"
  wait "$watcher" || true
  cat "$counts"
}

# press: the guard's wired button.
press() {
  echo pull-down >"$LINES_FOLDER/sim_gpio27/pull"
  sleep 0.5
  echo pull-up >"$LINES_FOLDER/sim_gpio27/pull"
  sleep 5
}
