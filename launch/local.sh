#!/usr/bin/env bash
# Trains on all cores of this machine: launch/local.sh [-n RANKS] [--threads T] CONFIG [ARG...]
# One rank a core as far as the configuration has micro-batches for them, threads for the rest.
# ARGs go to `ddpm-dist train`. DDPM_BIN names the folder of the programs (default: the build).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=launch/mpi-env.sh
. "$root/launch/mpi-env.sh"

usage() { sed -n '2,4s/^# \{0,1\}//p' "$0"; }
ranks="" threads=""
while [ $# -gt 0 ]; do
  case "$1" in
    -n) ranks=${2:?-n needs a number}; shift 2 ;;
    --threads) threads=${2:?--threads needs a number}; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) break ;;
  esac
done
[ $# -ge 1 ] || { usage >&2; exit 64; }
config=$1
shift

# shellcheck source=launch/find-programs.sh
. "$root/launch/find-programs.sh" ||
  { echo "local: no ddpm-dist; build first, or set DDPM_BIN" >&2; exit 66; }

sets=()
want=""
for argument in "$@"; do # the plan must see what training will see
  [ "$want" = "next" ] && sets+=(--set "$argument")
  want=""
  case "$argument" in --set) want="next" ;; --set=*) sets+=("$argument") ;; esac
done
cores=$(nproc)
if [ -z "$ranks" ]; then
  plan=$("$bin/ddpm-dist" plan --config "$config" --json "${sets[@]}")
  leaves=$(sed -n 's/.*"micro_batches": *\([0-9]*\).*/\1/p' <<<"$plan" | head -n 1)
  ranks=$((cores < leaves ? cores : leaves))
fi
[ -n "$threads" ] || threads=$((cores / ranks > 0 ? cores / ranks : 1))
exec mpirun -np "$ranks" "$bin/ddpm-dist" train --config "$config" \
  --set "train.threads=$threads" "$@"
