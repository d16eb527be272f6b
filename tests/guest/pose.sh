# shellcheck shell=bash
# The guest poses as a Raspberry Pi before setup.sh, and only before it. Sourced by install.sh.

POSE=/root/pose

# like_a_pi COMMAND...: runs it where the board, the kernel and the packages' architecture look like a Pi 4's.
like_a_pi() {
  mkdir -p "$POSE/bin" "$POSE/etc" "$POSE/proc/device-tree"
  printf 'Raspberry Pi 4 Model B Rev 1.5\0' >"$POSE/proc/device-tree/model"
  cp /etc/os-release "$POSE/etc/os-release"
  # What apt starts must see the machine as it is: only setup.sh is answered otherwise.
  answer uname -m aarch64
  answer dpkg --print-architecture arm64
  env GATE_ROOT="$POSE" PATH="$POSE/bin:$PATH" "$@"
}

# answer PROGRAM OPTION WORD: what setup.sh gets from it.
answer() {
  local real
  real=$(PATH=/usr/bin:/bin command -v "$1")
  cat >"$POSE/bin/$1" <<SCRIPT
#!/bin/bash
if [[ \${1:-} == "$2" ]] && grep -qz 'setup\.sh' "/proc/\$PPID/cmdline"; then echo "$3"; else exec "$real" "\$@"; fi
SCRIPT
  chmod 755 "$POSE/bin/$1"
}

# A picamera2 of the year 2023, which has no cancel_all_and_flush. Nothing is in it.
old_picamera2() {
  local folder=/root/old-picamera2
  mkdir -p "$folder/DEBIAN"
  printf '%s\n' 'Package: python3-picamera2' 'Version: 0.3.12-1' 'Architecture: all' 'Maintainer: guest <guest@localhost>' \
    'Description: too old' >"$folder/DEBIAN/control"
  dpkg-deb --build "$folder" /root/old-picamera2.deb >/dev/null
  dpkg -i /root/old-picamera2.deb >/dev/null
}

version_of() { dpkg-query -W -f '${Version}' "$1"; }
