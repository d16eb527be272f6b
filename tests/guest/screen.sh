#!/usr/bin/env bash
# In the guest: setup.sh puts the lane's screen on a display that is not there (a headless compositor), and what ends
# it is ended: browser, page, guards' page, everything. Pictures of the display go to /mnt/job. Then it is taken away.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=words.sh
source "$(dirname "$0")/words.sh"
# shellcheck source-path=SCRIPTDIR source=pose.sh
source "$(dirname "$0")/pose.sh"

UNIT=gate-kiosk-screen
FOLDER=/run/gate-kiosk-screen
TOML=/etc/gate-kiosk/kiosk.toml

# shellcheck disable=SC2120
setup() { (cd /root/gate-kiosk && like_a_pi ./setup.sh gate --yes "$@"); }

# on_display COMMAND...: as the screen's user, on its compositor.
on_display() {
  setpriv --reuid gate-screen --regid gate-screen --clear-groups \
    env XDG_RUNTIME_DIR="$FOLDER" WAYLAND_DISPLAY="$(cd "$FOLDER" && echo wayland-?)" "$@"
}

# picture NAME: what the display shows, kept for a person to look at.
picture() {
  rm -f "$FOLDER/picture.png"
  on_display grim "$FOLDER/picture.png" && cp "$FOLDER/picture.png" "/mnt/job/screen-$1.png"
}

# colour X Y: that point of the newest picture, in thousandths of its size, as "width height red green blue".
colour() {
  python3 -c '
import sys
from PIL import Image
picture = Image.open(sys.argv[1]).convert("RGB")
x, y = (int(text) for text in sys.argv[2:])
print(*picture.size, *picture.getpixel((picture.width * x // 1000, picture.height * y // 1000)))' \
    "$FOLDER/picture.png" "$@"
}

# face TONE: whether the display shows it; the tones are the colours in the page's own style sheet.
face() {
  local red green blue
  picture "$1"
  # A browser's own bubbles come into the corner above.
  is "$1" lost || is "$(colour 20 500)" "$(colour 992 40)" || return 1
  read -r _ _ red green blue <<<"$(colour 20 500)"
  case $1 in
    grant) ((green > red + 30 && green > blue)) ;;
    lost) ((red != green || green != blue)) && ! is "$red $green $blue" "$READY" ;;
    *) is "$red $green $blue" "$READY" ;;
  esac
}

# shown_since TIME: the program has said so after that.
shown_since() { journalctl -o cat -u "$UNIT" --since "$1" | grep -q 'screen=shown'; }

now() { sleep 1; date '+%Y-%m-%d %H:%M:%S'; }

mkdir -p "/etc/systemd/system/$UNIT.service.d"
printf '[Service]\nEnvironment=WLR_BACKENDS=headless\n' >"/etc/systemd/system/$UNIT.service.d/lab.conf"
DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends grim >/dev/null 2>&1

before=$(now)
expect "setup.sh gate --screen" "" setup --screen
expect "  the display shows the lane" "" eventually 30 shown_since "$before"
score=$(systemd-analyze security --no-pager "$UNIT.service" | sed -n 's/.*exposure level.*: \([0-9.]*\).*/\1/p')
expect "  exposure at most 2.5" "$score" awk -v score="$score" 'BEGIN { exit !(score != "" && score <= 2.5) }'
sleep 2
picture ready
read -r width height red green blue <<<"$(colour 20 500)"
READY="$red $green $blue"
expect "  in landscape" "$width x $height" test "$width" -gt "$height"
python3 /opt/fakecam/fakecam-show /root/passes/valid.png
expect "a valid pass: the display turns green" "" eventually 20 face grant
python3 /opt/fakecam/fakecam-show --blank
expect "  and rests again" "" eventually 30 face ready
sleep 8
expect "  and nothing of the browser's own lies over it" "" face ready
# megabytes: what its processes hold together, shared pages counted once.
megabytes() {
  local pid
  for pid in $(pgrep -u gate-screen); do cat "/proc/$pid/smaps_rollup" 2>/dev/null; done |
    awk '/^Pss:/ { sum += $2 } END { print int(sum / 1024) }'
}
held=$(megabytes)
expect "its processes hold less than its unit allows" "$held MB, and $(du -sm "$FOLDER" | cut -f1) MB of files" \
  test "$held" -lt 600

# ended TITLE WORD: the screen's processes that have the word in their command line are killed.
ended() {
  local killed
  before=$(now)
  mapfile -t killed < <(pgrep -u gate-screen -f -- "$2")
  kill -9 "${killed[@]}"
  expect "$1 that is killed comes back" "" eventually 90 shown_since "$before"
}
ended "a compositor" "^cage -d"
ended "a browser" "chromium/chromium --show"
ended "a page" "--type=renderer"
systemctl stop gate-kiosk-guard
expect "the guards' page is away: the display says that nothing is read" "" eventually 20 face lost
systemctl start gate-kiosk-guard
expect "  and it is back by itself" "" eventually 30 face ready
before=$(now)
systemctl restart gate-kiosk.target
expect "all of it is restarted: the display is back" "" eventually 90 shown_since "$before"

cp "$TOML" /root/kiosk.toml.before
sed -i 's/^display = "hdmi"/&\nrotate = 90/' "$TOML"
before=$(now)
systemctl restart "$UNIT"
expect "rotate = 90: shown" "" eventually 60 shown_since "$before"
upright() { picture upright && read -r width height _ <<<"$(colour 20 500)" && test "$height" -gt "$width"; }
expect "  upright" "" eventually 20 upright
cp /root/kiosk.toml.before "$TOML"

crumbs() { cat /var/lib/gate-kiosk/breadcrumb/lines.log; }
systemctl kill -s KILL gate-kiosk-reader
reader_died() { crumbs | grep -q 'gate-kiosk-reader.service: Main process exited'; }
expect "the breadcrumb tells of a reader that was killed" "" eventually 20 reader_died
expect "  in few lines" "$(crumbs | wc -lc | xargs)" test "$(crumbs | wc -c)" -lt 132000
crumbs | tail -n 12

expect "  and is back" "" eventually 30 all_active
started_before=$(systemctl show -p ExecMainStartTimestampMonotonic --value "$UNIT" "${SERVICES[@]}")
# shellcheck disable=SC2119
setup >/tmp/setup-again 2>&1 || true
second_run() { tail -n 1 /tmp/setup-again | grep -q unchanged; }
systemctl restart "$UNIT" # with the configuration as it was
expect "a second run says: unchanged" "$(tail -n 1 /tmp/setup-again)" second_run
expect "  and restarts nothing" "" \
  is "$(systemctl show -p ExecMainStartTimestampMonotonic --value "${SERVICES[@]}")" \
  "$(tail -n +3 <<<"$started_before")"
sed -i 's/^display = "hdmi"/display = "none"/' "$TOML"
expect "display = none: setup.sh takes the screen away" "" setup
expect "  without a trace" "" bash -c "! systemctl cat $UNIT >/dev/null 2>&1 && ! pgrep -u gate-screen"
rm -r "/etc/systemd/system/$UNIT.service.d"
journalctl --no-pager -o cat -n 12 -u "$UNIT"
