#!/usr/bin/env bash
# Installs and starts what the first word names: the demo, the tests, a centre or a gate. See ./setup.sh --help
set -Eeuo pipefail
trap 'printf "setup: line %s failed: %s\n" "$LINENO" "$BASH_COMMAND" >&2' ERR

usage() {
  cat <<'TEXT'
Usage:
  ./setup.sh demo [ARGS]     a centre and a gate with simulated parts, in this terminal
                             (--once plays the story without a person; ARGS: python -m kiosk demo --help)
  ./setup.sh test [ARGS]     format, lint, types, shell and the everyday tests (ARGS go to pytest):
                             tests/gate limits the run to a folder, -m "" adds the slow tests, as CI does
  ./setup.sh test --long [PART...] [--seed N] [--minutes M]
                             kills, lossy lines, sick disks, wrong clocks … many times, and a table of what held;
                             --list names the parts, --minutes ends each of them
  sudo ./setup.sh gate --enrol CODE --centre URL [--ca FILE] [--config FILE] [--screen] [--simulated]
              [--yes]        makes this Raspberry Pi a gate; a second run changes nothing
  ./setup.sh board [--simulated]
                             says whether this machine can be a gate; changes nothing, needs no root
  ./setup.sh centre          makes .venv with all that a centre needs
  ./setup.sh requirements [--upgrade] [--upgrade-package NAME]
                             writes systemd/requirements: which Python packages all of these install

  --enrol CODE     one-time code of this gate, from the centre
  --centre URL     address of the centre, e.g. https://centre.example.org
  --ca FILE        certificate authority of the centre (PEM), where it has its own
  --config FILE    a kiosk.toml prepared for this gate; otherwise systemd/kiosk.example.toml
  --screen         a display hangs on this machine: it shows the lane's screen (or set [screen] display in kiosk.toml)
  --simulated      go on without a Raspberry Pi: camera and pins are simulated
  --yes            do not ask before acting

A gate needs 64-bit Raspberry Pi OS bookworm or later on a Raspberry Pi 3B+, 4, 400, 5, 500, CM4 or CM5. Demo, test and
a simulated gate need Debian 12 or 13. All need root or sudo.
Exit codes: 0 done, 1 something failed (the last line says what), 2 wrong usage.
TEXT
}

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHON=/usr/bin/python3 # Debian's: another python3 may come first on PATH
REQUIREMENTS=$HERE/systemd/requirements
PIP_QUIET=(-qq --disable-pip-version-check --no-input) # errors only

# --- saying what happens ---------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }
wrong() { printf 'setup: %s\n       ./setup.sh --help prints the usage\n' "$*" >&2; exit 2; }

# step NAME FUNCTION [ARGS]: does it, and prints how long it took. The function's words stand under the name.
step() {
  local name=$1 began=$SECONDS
  shift
  say "==> $name"
  "$@"
  say "    ($((SECONDS - began)) s)"
}

# --- what all of them need ---------------------------------------------------------------------------------------------

as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" </dev/null; }

# A library may be there under its Debian 13 name, which ends in t64.
is_installed() { grep -qx installed <<<"$(dpkg-query -W -f '${db:Status-Status}\n' "$1" "$1t64" 2>/dev/null || true)"; }

# packages NAME...: installs those that are missing; asks no server when none is.
packages() {
  local name missing=()
  for name; do is_installed "$name" || missing+=("$name"); done
  if [[ ${#missing[@]} -eq 0 ]]; then
    say "    unchanged: all $# are installed"
    return
  fi
  command -v apt-get >/dev/null || die "no apt-get: this needs Debian 12 or 13, or Raspberry Pi OS"
  [[ $EUID -eq 0 ]] || command -v sudo >/dev/null || die "root or sudo is needed to install: ${missing[*]}"
  say "    installing ${missing[*]}"
  apt update >/dev/null || die "apt-get update failed: is the network there?"
  apt install -y --no-install-recommends "${missing[@]}" >/dev/null || die "apt-get install failed, see above"
  CHANGED+=(packages)
}
CHANGED=()

# --- Python packages: those that systemd/requirements names, each file by its hash -------------------------------------

python_fits() {
  local found needed="this needs Debian 12 or 13, or Raspberry Pi OS bookworm or trixie, on x86_64 or aarch64"
  found=$("$PYTHON" -c 'import platform as p; print(p.python_version().rpartition(".")[0], p.machine())' 2>/dev/null) ||
    die "there is no $PYTHON: $needed"
  case $found in
    '3.11 x86_64' | '3.11 aarch64' | '3.13 x86_64' | '3.13 aarch64') ;;
    *) die "$PYTHON is Python ${found/ / on }, and nobody checked our packages for it: $needed" ;;
  esac
}

# fetch VENV FILE...: installs what these files of requirements name. pip looks at the hash of each file before it
# opens it, and installs nothing when one is wrong.
untouched='Nothing was installed.'
fetch() {
  local venv=$1 file files=() said
  shift
  for file; do files+=(-r "$file"); done
  # Sources, too, are built by what stands there, not by what pip would fetch for it.
  if said=$("$venv/bin/python" -m pip install "${PIP_QUIET[@]}" --require-hashes --no-build-isolation --use-pep517 \
    "${files[@]}" 2>&1); then return; fi
  printf '%s\n' "$said" >&2
  case $said in
    *'DO NOT MATCH THE HASHES'*)
      die "REFUSED, and nothing of it ran: a Python package is not the one that this version was made with, see above." \
        "$untouched Try another network or package index (pip config list)." \
        "If it is refused there too, stop and tell us: somebody may have changed the package"
      ;;
    *)
      die "pip did not get every Python package, see above. $untouched Is the network there, and has the package index" \
        "of this machine (pip config list) these versions?"
      ;;
  esac
}

# python_packages VENV SOURCE FILE...: what the files name, then our own program, which may need nothing else.
python_packages() {
  local venv=$1 source=$2
  shift 2
  fetch "$venv" "$REQUIREMENTS/build.txt"
  fetch "$venv" "$@"
  PIP_CONFIG_FILE=/dev/null "$venv/bin/python" -m pip --isolated install "${PIP_QUIET[@]}" --no-index \
    --no-build-isolation ${EDITABLE:+"$EDITABLE"} "$source" ||
    die "our own program could not be installed, see above. $untouched If a package is missing: ./setup.sh requirements"
}

# requirements ARGS: writes the files anew with a tool that stands in them, too.
requirements() {
  step "Debian packages" packages "${CENTRE_PACKAGES[@]}"
  python_fits
  TOOL=$(mktemp -d)
  trap 'rm -rf "$TOOL"' EXIT
  "$PYTHON" -m venv "$TOOL"
  fetch "$TOOL" "$REQUIREMENTS/tool.txt"
  "$TOOL/bin/python" "$HERE/tests/install/requirements.py" "$@" || exit 1 # it said why
  say "Look at what changed: git diff systemd/requirements"
}

# --- test and demo: a virtual environment beside the code ------------------------------------------------------------

# developer_venv EXTRAS FILE...: .venv with the project as editable; made anew only when its description has changed.
developer_venv() {
  local extras=$1 stamp=$HERE/.venv/stamp want
  shift
  python_fits
  want="$extras $("$PYTHON" --version) $(cat "$HERE/pyproject.toml" "$REQUIREMENTS"/*.txt | sha256sum)"
  # The tests' extras hold all that the demo needs.
  if [[ -f $stamp && ($(<"$stamp") == "$want" || $(<"$stamp") == "device,centre,test ${want#* }") ]]; then
    say "    unchanged"
    return
  fi
  "$PYTHON" -m venv --clear "$HERE/.venv"
  EDITABLE=--editable python_packages "$HERE/.venv" "${HERE}[$extras]" "${@/#/$REQUIREMENTS/}"
  printf '%s' "$want" >"$stamp"
}

CENTRE_PACKAGES=(ca-certificates python3 python3-venv)
DEMO_PACKAGES=("${CENTRE_PACKAGES[@]}" libzbar0)
TEST_PACKAGES=("${DEMO_PACKAGES[@]}" git shellcheck systemd chromium-headless-shell fonts-noto-cjk ghostscript postgresql)

demo() {
  step "Debian packages" packages "${DEMO_PACKAGES[@]}"
  step "Python packages in .venv" developer_venv device,centre device.txt centre.txt
  cd "$HERE"
  exec .venv/bin/python -m kiosk demo "$@"
}

centre() {
  [[ $# -eq 0 ]] || wrong "centre: unknown argument $1"
  step "Debian packages" packages "${CENTRE_PACKAGES[@]}"
  step "Python packages in .venv" developer_venv centre centre.txt
  say "Next: .venv/bin/python -m sync.server --help"
}

# check NAME COMMAND...: one cheap check; a red one is remembered, so that the others still have their say.
check() {
  local name=$1 began=$SECONDS
  shift
  say "==> $name"
  if "$@"; then
    say "    ok ($((SECONDS - began)) s)"
  else
    say "    RED ($((SECONDS - began)) s)"
    RED+=("$name")
  fi
}
RED=()

test_everything() {
  step "Debian packages" packages "${TEST_PACKAGES[@]}"
  step "Python packages in .venv" developer_venv device,centre,test test.txt
  cd "$HERE"
  PATH=$HERE/.venv/bin:$PATH
  if [[ ${1:-} == --long ]]; then
    shift
    exec python -m tests.faults "$@" </dev/null
  fi
  check "Format (ruff format --check)" ruff format --check --quiet .
  check "Lint (ruff check)" ruff check --quiet .
  check "Types (mypy --strict)" mypy
  check "Shell (shellcheck)" shellcheck -x setup.sh .ci/run tests/guest/run tests/guest/*.sh
  [[ ${#RED[@]} -eq 0 ]] || die "red before the tests: $(printf '%s; ' "${RED[@]}")fix these first"
  say "==> Tests (pytest)"
  exec python -m pytest "$@" </dev/null # its closing line, with the counts, is the last
}

# --- gate: what is where ---------------------------------------------------------------------------------------------

ETC=/etc/gate-kiosk
STATE=/var/lib/gate-kiosk
OPT=/opt/gate-kiosk
UNITS=/etc/systemd/system
SERVICES=(gate-kiosk-core gate-kiosk-reader gate-kiosk-guard gate-kiosk-sync gate-kiosk-breadcrumb)

GATE_PACKAGES=(ca-certificates python3 python3-venv libzbar0 python3-numpy python3-pil)
PI_PACKAGES=(python3-picamera2 python3-lgpio python3-gpiozero)
# The oldest version that has every call we use: picamera2's cancel_all_and_flush, gpiozero's LGPIOFactory(chip=...).
declare -A OLDEST=([python3-picamera2]=0.3.20 [python3-gpiozero]=2.0 [python3-lgpio]=0.2)
declare -A UNFIT=([python3-picamera2]=0.3.26)
SCREEN_PACKAGES=(cage seatd wlr-randr fonts-noto-cjk)
# What apt installed and pip must not shadow: their C parts fit this system's camera and kernel.
APTS_OWN=(numpy pillow picamera2 lgpio gpiozero simplejpeg)

kiosk() { PYTHONDONTWRITEBYTECODE=1 "$OPT/current/venv/bin/python" -P -m kiosk "$@"; }

is_enrolled() { [[ -e $STATE/sync/identity.json && -e $ETC/anchor.json ]]; }

# install_file SOURCE TARGET [MODE]: as a whole or not at all, and only when it differs.
install_file() {
  local source=$1 target=$2 mode=${3:-0644}
  if cmp -s "$source" "$target"; then return; fi
  install -m "$mode" "$source" "$target.new"
  mv -T "$target.new" "$target"
  say "    $target"
  CHANGED+=("$target")
}

# --- gate: what machine this is, before anything is installed ---------------------------------------------------------

ROOT=${GATE_ROOT:-} # tests put a tree of their own there

# Every sentence ends with what to do.
machine_fits() {
  system_fits
  [[ -z ${GIVEN[simulated]} ]] || return 0
  architecture_fits
  board_fits
}

system_fits() {
  local id='' version=''
  if [[ -r $ROOT/etc/os-release ]]; then
    id=$(sed -n 's/^ID="\{0,1\}\([^"]*\).*/\1/p' "$ROOT/etc/os-release")
    version=$(sed -n 's/^VERSION_ID="\{0,1\}\([0-9]*\).*/\1/p' "$ROOT/etc/os-release")
  fi
  case $id in
    debian | raspbian) ;;
    *) die "this system is ${id:-unknown}, and a gate needs Raspberry Pi OS or Debian: put Raspberry Pi OS (64-bit) on the card" ;;
  esac
  if [[ ! $version =~ ^[0-9]+$ ]]; then
    say "    NOTE: a Debian without a number; 12 and 13 were tried"
  elif ((version < 12)); then
    die "Debian $version is too old, 12 (bookworm) or later is needed: put a new Raspberry Pi OS (64-bit) on the card"
  elif ((version > 13)); then
    say "    NOTE: Debian $version was not tried; 12 and 13 were"
  fi
  say "    system: $id ${version:-without a number}"
}

# A 64-bit kernel often runs a 32-bit system: what packages are made for is asked, too.
architecture_fits() {
  local packages kernel
  packages=$(dpkg --print-architecture) kernel=$(uname -m)
  if [[ $packages == arm64 && $kernel == aarch64 ]]; then
    say "    architecture: arm64"
    return
  fi
  case $packages in
    arm64) die "the system is 64-bit, but its kernel is $kernel: remove arm_64bit=0 from /boot/firmware/config.txt and reboot" ;;
    armhf) die "the system is 32-bit (armhf, kernel $kernel): put Raspberry Pi OS (64-bit) on the card" ;;
    *) die "this machine is $packages, not a 64-bit Raspberry Pi: --simulated goes on without camera and pins" ;;
  esac
}

board_fits() {
  local model=''
  [[ ! -r $ROOT/proc/device-tree/model ]] || model=$(tr -d '\0' <"$ROOT/proc/device-tree/model")
  case $model in
    'Raspberry Pi 3 Model B Plus'* | 'Raspberry Pi 4 Model B'* | 'Raspberry Pi 400'* | 'Raspberry Pi Compute Module 4'* | \
      'Raspberry Pi 5'* | 'Raspberry Pi Compute Module 5'*) say "    board: $model" ;; # 500 begins with 5
    'Raspberry Pi Zero 2'* | 'Raspberry Pi 3 Model A'*)
      die "$model has 512 MB of memory: the camera's buffers need contiguous memory (CMA), and too little is left for it" \
        "and four processes. Take a Raspberry Pi 3B+, 4, 5, CM4 or CM5"
      ;;
    'Raspberry Pi'*) unknown_board "$model" ;;
    '') die "this is not a Raspberry Pi (it has no /proc/device-tree/model): --simulated goes on without camera and pins" ;;
    *) die "$model is not a Raspberry Pi: --simulated goes on without camera and pins" ;;
  esac
}

# A newer board may well do; an older one was never tried. A person may decide, a script may not.
unknown_board() {
  local answer=''
  say "    board: $1, which is not one of 3B+, 4, 400, 5, 500, CM4 and CM5"
  if [[ -z ${GIVEN[yes]} && -t 0 ]]; then read -r -p "    Nobody tried it. Go on all the same? [y/N] " answer; fi
  [[ $answer == [yY]* ]] ||
    die "$1 was never tried as a gate. Run this in a terminal without --yes to go on all the same, or take a tried board"
}

# --- gate: versions --------------------------------------------------------------------------------------------------

installed_version() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null || true; }

# What apt would install now; nothing where it knows no such package.
candidate_version() { LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \(.*\)/\1/p' | grep -vx '(none)' || true; }

# The part of a Debian version that the program's authors gave it: 1:2.0.1-0+rpt1 is 2.0.1.
upstream() { local version=${1#*:}; printf '%s' "${version%-*}"; }

# version_fits PACKAGE VERSION
version_fits() {
  local plain
  plain=$(upstream "$2")
  [[ -z ${UNFIT[$1]:-} || $plain != "${UNFIT[$1]}" ]] || return 1
  dpkg --compare-versions "$plain" ge "${OLDEST[$1]}"
}

wanted_version() { printf '%s or newer%s' "${OLDEST[$1]}" "${UNFIT[$1]:+ except ${UNFIT[$1]}}"; }

# Prints the packages of PI_PACKAGES that apt has to install: the missing and the unfit, no other.
to_install() {
  local name now
  for name in "${PI_PACKAGES[@]}"; do
    now=$(installed_version "$name")
    [[ -n $now ]] && is_installed "$name" && version_fits "$name" "$now" || printf '%s\n' "$name"
  done
}

# What apt would install is judged before it does.
candidates_fit() {
  local name offered
  for name; do
    offered=$(candidate_version "$name")
    [[ -n $offered ]] ||
      die "apt offers no $name: it is not Raspberry Pi OS, or its lists are old (sudo apt-get update)." \
        "--simulated goes on without camera and pins"
    version_fits "$name" "$offered" ||
      die "apt offers $name $offered, and $(wanted_version "$name") is needed:" \
        "sudo apt-get update, then run this again. If that changes nothing, put a new Raspberry Pi OS on the card"
  done
}

# tell_versions: for ./setup.sh board.
tell_versions() {
  local name now missing
  mapfile -t missing < <(to_install)
  candidates_fit "${missing[@]}"
  for name in "${PI_PACKAGES[@]}"; do
    now=$(installed_version "$name")
    if [[ " ${missing[*]} " == *" $name "* ]]; then
      say "    $name: ${now:-not installed}; setup installs $(candidate_version "$name")"
    else
      say "    $name: $now"
    fi
  done
}

board() {
  read_gate_arguments "$@"
  step "This machine" machine_fits
  python_fits
  [[ -n ${GIVEN[simulated]} ]] || step "Versions" tell_versions
  say "This machine can be a gate."
}

# --- gate: the steps -------------------------------------------------------------------------------------------------

declare -A GIVEN=([enrol]='' [centre]='' [ca]='' [config]='' [screen]='' [simulated]='' [yes]='')

read_gate_arguments() {
  local option
  while [[ $# -gt 0 ]]; do
    option=$1
    shift
    case $option in
      --screen | --simulated | --yes) GIVEN[${option#--}]=1 ;;
      --enrol | --centre | --ca | --config)
        [[ $# -gt 0 ]] || wrong "gate: $option needs a value"
        GIVEN[${option#--}]=$1
        shift
        ;;
      *) wrong "gate: unknown argument $option" ;;
    esac
  done
}

gate_is_possible() {
  [[ $EUID -eq 0 ]] || die "a gate is installed by root: sudo ./setup.sh gate …"
  [[ -d /run/systemd/system ]] || die "systemd does not run here, and a gate is made of its units"
  if ! is_enrolled; then
    [[ -n ${GIVEN[enrol]} ]] || wrong "gate: --enrol CODE is needed, the one-time code of this gate from the centre"
    [[ -n ${GIVEN[centre]} ]] || wrong "gate: --centre URL is needed, the address of the centre"
  fi
  local file
  for file in "${GIVEN[ca]}" "${GIVEN[config]}"; do [[ -z $file || -r $file ]] || die "cannot read $file"; done
}

ask_before_acting() {
  if [[ -n ${GIVEN[yes]} || ! -t 0 ]]; then return; fi
  say "This makes $(hostname) a gate of ${GIVEN[centre]:-the centre it is enrolled at}:"
  say "  Debian packages; users gate-core, gate-reader, gate-guard, gate-sync, gate-breadcrumb; code in $OPT;"
  say "  configuration in $ETC;${GIVEN[screen]:+ a browser for the display and user gate-screen;}"
  say "  state in $STATE; units in $UNITS, started now and at every boot."
  local answer
  read -r -p "Go on? [y/N] " answer
  [[ $answer == [yY]* ]] || die "nothing was done"
}

gate_packages() {
  packages "${GATE_PACKAGES[@]}"
  if [[ -n ${GIVEN[simulated]} ]]; then
    say "    simulated: no camera and no pin packages"
    return
  fi
  pi_packages
}

# Installs what is missing and upgrades what is too old, and nothing else.
pi_packages() {
  local wanted
  mapfile -t wanted < <(to_install)
  if [[ ${#wanted[@]} -eq 0 ]]; then
    say "    unchanged: camera and pin packages are new enough"
    return
  fi
  apt update >/dev/null || die "apt-get update failed: is the network there?"
  candidates_fit "${wanted[@]}"
  say "    installing ${wanted[*]}"
  apt install -y --no-install-recommends "${wanted[@]}" >/dev/null || die "apt-get install failed, see above"
  CHANGED+=(packages)
  mapfile -t wanted < <(to_install)
  [[ ${#wanted[@]} -eq 0 ]] || die "apt-get left ${wanted[*]} too old: is it held back (apt-mark showhold)?"
}

users_and_folders() {
  mkdir -p /etc/sysusers.d /etc/tmpfiles.d
  install -d -m 0755 "$ETC" "$OPT" "$OPT/releases"
  install_file "$HERE/systemd/sysusers.conf" /etc/sysusers.d/gate-kiosk.conf
  install_file "$HERE/systemd/tmpfiles.conf" /etc/tmpfiles.d/gate-kiosk.conf
  systemd-sysusers /etc/sysusers.d/gate-kiosk.conf
  systemd-tmpfiles --create /etc/tmpfiles.d/gate-kiosk.conf
}

# The name of a release: one for each content of the code and each Python.
release_name() {
  (
    cd "$HERE"
    "$PYTHON" --version
    find pyproject.toml setup.sh kiosk hardware sync systemd -type f -not -name '*.pyc' -print0 |
      LC_ALL=C sort -z | xargs -0 sha256sum
  ) | sha256sum | cut -c1-12
}

# What apt installed of its own, as name==version.
installed_by_apt() {
  "$PYTHON" - "${APTS_OWN[@]}" <<'PY'
import sys
from importlib.metadata import PackageNotFoundError, version

for name in sys.argv[1:]:
    try:
        print(f"{name}=={version(name)}")
    except PackageNotFoundError:
        pass
PY
}

# left_to_pip FILE APT: the file of requirements without the packages that apt installed.
left_to_pip() {
  awk '
    FILENAME == ARGV[1] { sub(/==.*/, ""); apt[tolower($0)]; next }
    /^[a-z]/ { split($0, name, "=="); left_out = name[1] in apt }
    !left_out
    !/\\$/ { left_out = 0 }
  ' "$2" "$1"
}

# pip must have left alone what apt installed: a second numpy would not fit apt's picamera2.
nothing_is_shadowed() {
  local name found
  for name in "${APTS_OWN[@]}"; do
    found=$(find "$1/venv/lib" -maxdepth 4 -iname "$name-*.dist-info" -print -quit)
    [[ -z $found ]] || ! grep -qi "^$name==" "$1/apt.txt" || die "pip installed its own $name beside apt's: $found"
  done
}

# Built in its own folder; `current` is turned only when it is whole, so a failed run leaves the gate as it was.
code() {
  local release
  release=$OPT/releases/$(release_name)
  if [[ -f $release/whole && $(readlink "$OPT/current") == "$release" ]]; then
    say "    unchanged: ${release##*/}"
    return
  fi
  [[ -f $release/whole ]] || build_release "$release"
  ln -sfn "$release" "$OPT/current.new"
  mv -T "$OPT/current.new" "$OPT/current"
  sync -f "$OPT"
  say "    $OPT/current is ${release##*/}"
  CHANGED+=(code)
  remove_old_releases
}

build_release() {
  local release=$1 untouched='What ran before still runs.'
  rm -rf "$release"
  mkdir -p "$release/source"
  # A copy: building leaves traces that do not belong into a working tree.
  (cd "$HERE" && cp -r pyproject.toml LICENSE kiosk hardware sync "$release/source/")
  cp -r "$HERE/systemd" "$release/"
  installed_by_apt >"$release/apt.txt"
  left_to_pip "$REQUIREMENTS/device.txt" "$release/apt.txt" >"$release/requirements.txt"
  "$PYTHON" -m venv --system-site-packages "$release/venv"
  python_packages "$release/venv" "$release/source[device]" "$release/requirements.txt"
  nothing_is_shadowed "$release"
  "$release/venv/bin/python" -P -m kiosk --help >/dev/null || die "the new code does not start; what ran before still runs"
  rm -rf "$release/source"
  sync -f "$release" # or a power cut could leave empty files behind the mark
  touch "$release/whole"
}

# Keeps the release in force and the one before it. What was refused or cut off is not one of them.
remove_old_releases() {
  local release
  for release in "$OPT"/releases/*; do [[ -e $release/whole ]] || rm -rf "$release"; done
  find "$OPT/releases" -mindepth 1 -maxdepth 1 -printf '%T@ %p\n' | sort -rn | tail -n +3 | cut -d' ' -f2- |
    while read -r old; do [[ $old == "$(readlink "$OPT/current")" ]] || rm -rf "$old"; done
}

# kiosk.toml is written once and belongs to the technician from then on.
configuration() {
  if [[ -e $ETC/kiosk.toml ]]; then
    say "    unchanged: $ETC/kiosk.toml"
    [[ -z ${GIVEN[config]} ]] || cmp -s "${GIVEN[config]}" "$ETC/kiosk.toml" || say "    NOTE: ${GIVEN[config]} was not used, that file is there already"
  elif [[ -n ${GIVEN[config]} ]]; then
    install_file "${GIVEN[config]}" "$ETC/kiosk.toml"
  elif [[ -n ${GIVEN[simulated]} ]]; then
    simulated_configuration
  else
    install_file "$HERE/systemd/kiosk.example.toml" "$ETC/kiosk.toml"
  fi
  [[ -z ${GIVEN[screen]} ]] || display_is_hdmi
  kiosk config --config "$ETC/kiosk.toml" >/dev/null || die "correct $ETC/kiosk.toml, then run this again"
}

# Sets [screen] display, whatever stands there: the key, the section alone, or neither.
display_is_hdmi() {
  local made
  made=$(mktemp)
  awk '
    /^\[/ { if (within && !done) { print "display = \"hdmi\""; done = 1 } within = ($0 ~ /^\[screen\]/) }
    within && /^ *display *=/ { sub(/"[a-z]*"/, "\"hdmi\""); done = 1 }
    { print }
    END { if (!done) { if (!within) print "\n[screen]"; print "display = \"hdmi\"" } }
  ' "$ETC/kiosk.toml" >"$made"
  install_file "$made" "$ETC/kiosk.toml"
  rm "$made"
}

simulated_configuration() {
  local made
  made=$(mktemp)
  sed 's/^host = .*/host = "0.0.0.0"/; s|^\[simulated\]|&\nfolder = "/run/gate-kiosk-core/simulated"|' \
    "$HERE/kiosk/laptop.toml" >"$made"
  printf '\n[centre]\nurl = ""\nca = ""\n' >>"$made"
  install_file "$made" "$ETC/kiosk.toml"
  rm "$made"
}

enrolment() {
  if [[ -n ${GIVEN[ca]} ]]; then install_file "${GIVEN[ca]}" "$ETC/centre-ca.pem"; fi
  if is_enrolled; then
    say "    unchanged: this gate is enrolled"
  else
    enrol
  fi
  # Each run, for the sake of one that was cut off right after enrolling.
  owned_by gate-core "$STATE/core"
  owned_by gate-sync "$STATE/sync"
  fill_in url "${GIVEN[centre]}"
  if [[ -e $ETC/centre-ca.pem ]]; then fill_in ca "$ETC/centre-ca.pem"; fi
}

enrol() {
  local ca=()
  if [[ -n ${GIVEN[ca]} ]]; then ca=(--ca "$ETC/centre-ca.pem"); fi
  kiosk enrol "${GIVEN[enrol]}" --centre "${GIVEN[centre]}" "${ca[@]}" --config "$ETC/kiosk.toml" ||
    die "not enrolled, see above; correct it and run this again: nothing is lost"
  CHANGED+=(enrolment)
}

# owned_by USER FOLDER: enrolment writes as root what the processes read.
owned_by() { find "$2" ! -user "$1" -exec chown "$1:$1" {} +; }

# fill_in KEY VALUE: sets a key of [centre] that is still empty.
fill_in() {
  sed -i "/^\[centre\]/,/^\[/ s|^$1 = \"\"|$1 = \"$2\"|" "$ETC/kiosk.toml"
}

units() {
  local file before=${#CHANGED[@]}
  for file in "$HERE"/systemd/gate-kiosk*.{service,socket,target}; do install_file "$file" "$UNITS/${file##*/}"; done
  [[ ${#CHANGED[@]} -eq $before ]] || systemctl daemon-reload
  local names=("$HERE"/systemd/gate-kiosk*.{service,socket,target})
  systemctl --quiet enable "${names[@]##*/}"
  if [[ ${#CHANGED[@]} -eq 0 ]]; then
    systemctl start gate-kiosk.target
    say "    unchanged"
  else
    systemctl restart gate-kiosk.target
    say "    enabled and started"
  fi
}

# --- gate: the lane's screen, where a display is configured --------------------------------------------------------------

wants_screen() { kiosk config --config "$ETC/kiosk.toml" | grep -q '"display": "hdmi"'; }

# Debian's name, and the older one of Raspberry Pi OS bookworm.
browser_package() {
  if [[ -n $(candidate_version chromium) ]]; then printf chromium; else printf chromium-browser; fi
}

screen() {
  local before=${#CHANGED[@]} unit=gate-kiosk-screen.service
  if ! wants_screen; then
    remove_screen
    return
  fi
  ! systemctl --quiet is-enabled display-manager 2>/dev/null ||
    die "this system starts a desktop, which holds the display: sudo systemctl disable --now display-manager, then run this again"
  packages "${SCREEN_PACKAGES[@]}" "$(browser_package)"
  install_file "$HERE/systemd/screen/sysusers.conf" /etc/sysusers.d/gate-kiosk-screen.conf
  systemd-sysusers /etc/sysusers.d/gate-kiosk-screen.conf
  mkdir -p /etc/udev/rules.d
  install_file "$HERE/systemd/screen/touch.rules" /etc/udev/rules.d/90-gate-kiosk-screen.rules
  install_file "$HERE/systemd/screen/$unit" "$UNITS/$unit"
  if [[ ${#CHANGED[@]} -eq $before ]]; then
    systemctl start "$unit"
    say "    unchanged"
    return
  fi
  if udevadm control --reload 2>/dev/null; then udevadm trigger --subsystem-match=input; fi # none in a container
  systemctl daemon-reload
  systemctl --quiet enable seatd "$unit"
  systemctl restart seatd "$unit"
  say "    enabled and started"
}

remove_screen() {
  if [[ ! -e $UNITS/gate-kiosk-screen.service ]]; then
    say "    no display is configured"
    return
  fi
  systemctl --quiet disable --now gate-kiosk-screen.service
  rm -f "$UNITS/gate-kiosk-screen.service" /etc/udev/rules.d/90-gate-kiosk-screen.rules
  systemctl daemon-reload
  say "    removed: no display is configured any longer"
  CHANGED+=(screen)
}

# A display may be hung up later: its absence is told, not held against the gate.
screen_is_shown() {
  local tries run
  for ((tries = 0; tries < 60; tries++)); do
    run=$(systemctl show -p InvocationID --value gate-kiosk-screen)
    if journalctl -o cat "_SYSTEMD_INVOCATION_ID=$run" | grep -o 'screen=[a-z]* lane=' | tail -n 1 | grep -q shown; then
      say "    the lane's screen is shown"
      return
    fi
    sleep 2
  done
  say "    NOTE: the display does not show the lane yet: journalctl -u gate-kiosk-screen says why"
}

# --- gate: is it well? -----------------------------------------------------------------------------------------------

wait_until_active() {
  local service tries
  for service in "${SERVICES[@]}"; do
    for ((tries = 0; tries < 120; tries++)); do
      ! systemctl --quiet is-active "$service" || break
      sleep 0.5
    done
    systemctl --quiet is-active "$service" || {
      journalctl --no-pager -n 15 -u "$service" >&2
      die "$service does not run, see above"
    }
    say "    $service is active"
  done
}

# The first list and the first frame take a moment after a start.
content() {
  local said tries
  for ((tries = 0; tries < 30; tries++)); do
    if said=$(kiosk check --config "$ETC/kiosk.toml" 2>&1); then
      say "$said"
      return
    fi
    sleep 2
  done
  say "$said"
  die "the gate is installed, but not everything is well, see above"
}

guards_page() {
  local address port
  address=$(hostname -I 2>/dev/null | cut -d' ' -f1)
  port=$(sed -n '/^\[guard\]/,/^\[/ s/^port = \([0-9]*\).*/\1/p' "$ETC/kiosk.toml")
  say "Guards' page: http://${address:-$(hostname)}:${port:-8080}/"
  # Raspberry Pi OS answers for its name by mDNS; that address stays when the router gives another number.
  [[ ! -S /run/avahi-daemon/socket ]] || say "        or by name: http://$(hostname).local:${port:-8080}/"
}

gate() {
  read_gate_arguments "$@"
  gate_is_possible
  step "This machine" machine_fits
  python_fits
  ask_before_acting
  step "Debian packages" gate_packages
  step "Users and folders" users_and_folders
  step "Code in $OPT" code
  step "Configuration" configuration
  step "Enrolment" enrolment
  step "Units" units
  step "The lane's screen" screen
  step "Waiting for the services" wait_until_active
  step "Check" content
  ! wants_screen || step "Display" screen_is_shown
  guards_page
  if [[ ${#CHANGED[@]} -eq 0 ]]; then say "Done: unchanged."; else say "Done: the gate is installed and runs."; fi
}

[[ ${BASH_SOURCE[0]} == "$0" ]] || return 0 # sourced: a test tries single functions

case ${1:-} in
  demo) shift && demo "$@" ;;
  test) shift && test_everything "$@" ;;
  gate) shift && gate "$@" ;;
  board) shift && board "$@" ;;
  centre) shift && centre "$@" ;;
  requirements) shift && requirements "$@" ;;
  -h | --help) usage ;;
  '') usage >&2 && exit 2 ;;
  *) wrong "unknown command $1" ;;
esac
