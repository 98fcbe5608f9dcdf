#!/usr/bin/env bash
# Installs Picard and beets, each into an environment of its own (460 MB together), for the tests that ask what
# they make of our files. Where: $TAGKIT_CLIENTS, else the user's cache. What is there already stays.
set -euo pipefail
where=${TAGKIT_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/tagkit-clients}
python=${1:-python3}
mkdir -p "$where"
for client in picard-3.0.2 beets-2.14.1; do
  name=${client%%-*}
  [ -e "$where/$client/bin/python" ] && continue
  new=$(mktemp -d "$where/.$client.XXXX")
  trap 'rm -rf "$new"' EXIT
  "$python" -m venv "$new"
  install=("$new/bin/python" -m pip install -q --disable-pip-version-check --retries 2)
  if timeout 300 "${install[@]}" "${client/-/==}" 2>"$new/said" </dev/null; then
    rm -f "$where/$name.refused"
    mv "$new" "$where/$client" # its Python and packages work from anywhere
  else # the tests of this one skip, and say so
    cp "$new/said" "$where/$name.refused"
    cat "$new/said" >&2
    rm -rf "$new"
  fi
done
