# shellcheck shell=bash disable=SC2034
# What the scripts in the guest share. Sourced by them.

ENTRY=/mnt/share/project/tests/guest
PORT=28474 # the guest may share its host's network: a port that nobody else takes
CENTRE_STATE=/var/lib/gate-centre
SERVICES=(gate-kiosk-core gate-kiosk-reader gate-kiosk-guard gate-kiosk-sync)

result() { printf 'RESULT\t%s\t%s\t%s\n' "$1" "$2" "${3:-}"; }

# expect NAME DETAIL COMMAND...: one line of the table.
expect() {
  local name=$1 detail=$2
  shift 2
  if "$@"; then result PASS "$name" "$detail"; else result FAIL "$name" "$detail"; fi
}

# eventually SECONDS COMMAND...: true as soon as it is.
eventually() {
  local until=$((SECONDS + $1))
  shift
  while ! "$@" >/dev/null 2>&1; do
    ((SECONDS < until)) || return 1
    sleep 1
  done
}

# is-active of several units is content with one of them.
all_active() {
  local service
  for service in "${SERVICES[@]}"; do systemctl --quiet is-active "$service" || return 1; done
}

centre() { /opt/centre/.venv/bin/python -m sync.server --state "$CENTRE_STATE" "$@"; }

kiosk() { PYTHONDONTWRITEBYTECODE=1 /opt/gate-kiosk/current/venv/bin/python -P -m kiosk "$@"; }

well() { kiosk check --config /etc/gate-kiosk/kiosk.toml; }

# field NAME: that field of the JSON object on standard input.
field() { /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

is() { [[ $1 == "$2" ]]; }
