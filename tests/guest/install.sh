#!/usr/bin/env bash
# In the guest: a centre, then setup.sh gate from a fresh clone: with a wrong code, with the right one, and once more.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=words.sh
source "$(dirname "$0")/words.sh"
# shellcheck source-path=SCRIPTDIR source=pose.sh
source "$(dirname "$0")/pose.sh"

start_centre() {
  cp -r /mnt/share/project /opt/centre
  /opt/centre/setup.sh centre
  cp "$ENTRY/centre.service" /etc/systemd/system/gate-centre.service
  centre add-compound 翠湖花园 "Cuihu Garden"
  systemctl --quiet enable --now gate-centre
  eventually 60 bash -c "</dev/tcp/127.0.0.1/$PORT"
}

setup() { (cd /root/gate-kiosk && like_a_pi ./setup.sh gate --centre "http://127.0.0.1:$PORT" --config "$ENTRY/kiosk.toml" --yes "$@"); }

# Everything that setup.sh writes: names, owners, modes and contents.
tree() {
  find /etc/gate-kiosk /etc/systemd/system /etc/sysusers.d /etc/tmpfiles.d /opt/gate-kiosk \
    -printf '%p %M %u %g %l\n' -type f -exec sha256sum {} + | LC_ALL=C sort | sha256sum
}

started() { systemctl show -p ExecMainStartTimestampMonotonic --value "${SERVICES[@]}"; }

exposure() { systemd-analyze security --no-pager "$1.service" | sed -n 's/.*exposure level.*: \([0-9.]*\).*/\1/p'; }

at_most() { awk -v score="$1" -v limit="$2" 'BEGIN { exit !(score != "" && score <= limit) }'; }

expect "setup.sh board refuses a machine that is no Raspberry Pi" "" \
  bash -c '! /mnt/share/project/setup.sh board >/tmp/board 2>&1 && tail -n 1 /tmp/board | grep -q -e --simulated'
old_picamera2
start_centre
code=$(centre add-gate 1 东门 --json | field enrolment_code)
cp -r /mnt/share/project /root/gate-kiosk
mkdir -p /etc/systemd/system/gate-kiosk-reader.service.d
cp "$ENTRY/reader.conf" /etc/systemd/system/gate-kiosk-reader.service.d/lab.conf

wrong_code() {
  setup --enrol B48V-DKH0-082N-JBMY-60RK-4CSM-6MV3-EE1S >/tmp/wrong 2>&1 || tail -n 1 /tmp/wrong | grep -q "not enrolled"
}
expect "packages and code are installed, a wrong code is refused" "" wrong_code
cat /tmp/wrong
expect "  in one sentence, nothing started" "" \
  bash -c '! grep -q Traceback /tmp/wrong && ! systemctl is-active gate-kiosk-core >/dev/null'

expect "setup.sh gate with the right code" "" setup --enrol "$code"
expect "  upgraded the picamera2 that was too old" "$(version_of python3-picamera2)" \
  dpkg --compare-versions "$(version_of python3-picamera2)" ge 0.3.20
expect "all four services are active" "" all_active
well || true
for service in "${SERVICES[@]}"; do
  limit=1.5
  [[ $service != gate-kiosk-core ]] || limit=1.0
  score=$(exposure "$service")
  expect "$service: exposure at most $limit" "$score" at_most "$score" "$limit"
done
expect "systemd has nothing against the units" "" \
  bash -c '! systemd-analyze verify --man=no /etc/systemd/system/gate-kiosk*.service 2>&1 | grep gate-kiosk'

photo_read() {
  runuser -u gate-guard -- /opt/gate-kiosk/current/venv/bin/python -P - /run/gate-kiosk/reader-guard.sock <"$ENTRY/photo.py"
}
expect "a guard's photo is read within the reader's unit" "" photo_read

tree_before=$(tree) started_before=$(started)
second_run() { setup --enrol "$code" | tee /tmp/second && tail -n 1 /tmp/second | grep -q unchanged; }
expect "a second run says: unchanged" "" second_run
expect "  changes no file" "" is "$(tree)" "$tree_before"
expect "  restarts no service" "" is "$(started)" "$started_before"

changed_package() {
  local list=/root/gate-kiosk/systemd/requirements/device.txt
  sed -i.right '/^flask==/,/--hash/ s/sha256:..../sha256:0000/' "$list"
  setup >/tmp/refused 2>&1 || true
  mv "$list.right" "$list"
  tail -n 1 /tmp/refused | grep -q 'REFUSED.*What ran before still runs'
}
expect "a package with another hash is refused" "" changed_package
expect "  and no service is restarted" "" is "$(started)" "$started_before"
for service in "${SERVICES[@]}"; do journalctl --no-pager -o cat -n 6 -u "$service"; done
