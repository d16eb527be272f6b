#!/usr/bin/env bash
# In the guest, booted again: the services come up by themselves. Then passes are issued for the next part.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=words.sh
source "$(dirname "$0")/words.sh"

pass_number() { centre issue 1 --holder 王小明 --dwelling "$1" --active --json | field number; }

expect "after a reboot all four services are active" "" eventually 60 all_active
expect "the guards' page answers" "" eventually 20 \
  python3 -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:28473/")'
expect "python -m kiosk check is content" "" eventually 60 well
well || true

mkdir -p /root/passes
valid=$(pass_number 3-2-501)
revoked=$(pass_number 3-2-502)
centre print-card "$valid" --out /root/passes/valid.png
centre print-card "$revoked" --out /root/passes/revoked.png
centre revoke "$revoked"
