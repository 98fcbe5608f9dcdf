#!/usr/bin/env bash
# Tries to break tagkit at full size, and keeps what came of it in bench/full_trust.txt.
#
#     bench/full_trust.sh WORK [SEED]
#
# WORK is a folder for what is made; a seed tells all that is drawn (default: today). Run it as root on Linux, so
# that disks can be mounted and clocks turned; on a machine with nothing else to do, for the seconds to mean
# something. bench/load.py is the other half: 100,000 files.
set -euo pipefail
cd "$(dirname "$0")/.."
work=${1:?usage: bench/full_trust.sh WORK [SEED]}
seed=${2:-$(date +%Y%m%d)}
python=.venv/bin/python
[ -x "$python" ] || python=python3

mkdir -p "$work"
rm -f "$work/counts.jsonl" "$work/results.xml"
export CI=true TAGKIT_TRUST=full TAGKIT_TRUST_SEED="$seed" TAGKIT_TRUST_COUNTS="$work/counts.jsonl"
status=0
"$python" -m pytest -q -n 2 --dist loadfile tests/trust --basetemp "$work/tmp" -o tmp_path_retention_policy=none \
  --junitxml "$work/results.xml" </dev/null || status=$?
"$python" bench/full_trust.py "$work/counts.jsonl" "$seed" "$work/results.xml"
exit "$status"
