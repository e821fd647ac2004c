#!/usr/bin/env bash
# Holds the model of `ddpm-dist plan` (docs/scaling.md) against real steps over network namespaces
# with shaped links. As root; a machine with as many idle cores as ranks tells most.
#   tests/bench/scaling.sh [OPTION...]
#     --config FILE     default configs/cifar10.ini
#     --micro-batch N   images a micro-batch (4); every rank has --leaves of them a step (1)
#     --leaves N
#     --link RATE       of each node, in G (1), as for plan --network
#     --cases LIST      NODESxRANKS_PER_NODE (2x1,4x1,2x2)
#     --steps S         timed steps a run (3)
#     --repeat K        runs of each case; the best of each figure counts (3)
#     --bin DIR         of ddpm-dist (build/release/bin)
# First each case runs on unshaped links: its time outside of communication gives the rate that the
# plan is told; then on shaped ones, which the plan must foretell.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
netns=$root/tests/cluster/netns.sh
config=$root/configs/cifar10.ini micro_batch=4 leaves=1 link=1 cases=2x1,4x1,2x2 steps=3 repeat=3
bin=$root/build/release/bin
usage() { sed -n '2,15s/^# \{0,1\}//p' "$0"; }
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --config | --micro-batch | --leaves | --link | --cases | --steps | --repeat | --bin)
      [ $# -ge 2 ] || { echo "scaling: $1 needs a value" >&2; exit 64; }
      option=${1#--}
      printf -v "${option//-/_}" %s "$2"
      shift 2 ;;
    *) usage >&2; exit 64 ;;
  esac
done
[[ $cases =~ ^[1-9][0-9]*x[1-9][0-9]*(,[1-9][0-9]*x[1-9][0-9]*)*$ ]] ||
  { echo "scaling: --cases is a list like 2x1,4x1, not '$cases'" >&2; exit 64; }
for number in micro_batch leaves steps repeat; do
  [[ ${!number} =~ ^[1-9][0-9]*$ ]] ||
    { echo "scaling: --${number//_/-} is a whole number from 1, not '${!number}'" >&2; exit 64; }
done
[ -x "$bin/ddpm-dist" ] || { echo "scaling: no $bin/ddpm-dist; build, or say --bin" >&2; exit 66; }
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE

nodes=0
for c in ${cases//,/ }; do ((nodes >= ${c%x*})) || nodes=${c%x*}; done
work=$(mktemp -d)
trap '"$netns" down; rm -rf "$work"' EXIT
"$netns" up "$nodes"

field() { sed -n "s/^ *\"$1\": *\([0-9.e+-]*\),\{0,1\}\$/\1/p" "$2" | head -n 1; }
calculate() { awk "BEGIN { printf \"%.4f\", ($1) }"; }
# bench NODES EACH OVERLAP: sets compute, communication and step to the least seconds of all runs
bench() {
  local ranks=$(($1 * $2)) try
  local sets=(--set "train.micro_batch=$micro_batch" --set train.threads=1 --set "dist.overlap=$3"
    --set "train.batch=$((ranks * leaves * micro_batch))")
  for ((try = 0; try < repeat; try++)); do
    "$netns" run "$ranks" "$2" "$bin/ddpm-dist" bench --config "$config" "${sets[@]}" \
      --steps "$steps" --json >"$work/run" 2>"$work/err" ||
      { cat "$work/err" >&2; echo "scaling: the benchmark failed" >&2; exit 1; }
    echo "$(field noise "$work/run") $(field forward "$work/run") $(field backward "$work/run")" \
      "$(field update "$work/run") $(field total_seconds "$work/run")" \
      "$(field step_seconds "$work/run")"
  done >"$work/runs"
  read -r compute communication step < <(awk '
    { c = $1 + $2 + $3 + $4 }
    NR == 1 { compute = c; communication = $5; step = $6 }
    { if (c < compute) compute = c; if ($5 < communication) communication = $5; if ($6 < step) step = $6 }
    END { printf "%.6f %.6f %.6f\n", compute, communication, step }' "$work/runs")
}

sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1
echo "$(nproc) cores; $(basename "$config"), micro-batches of $micro_batch, $leaves a rank"
echo "seconds a step: measured / foretold"
printf '%-6s %-9s %8s | %17s | %17s | %17s\n' nodes link rate communication "no overlap" overlap
for c in ${cases//,/ }; do
  n=${c%x*} each=${c#*x} ranks=$((${c%x*} * ${c#*x})) rate=
  for speed in none "$link"; do
    shown=unshaped
    [ "$speed" = none ] || shown=${link}G
    "$netns" rate "$([ "$speed" = none ] && echo none || calculate "$link * 1000")$([ "$speed" = none ] || echo mbit)"
    bench "$n" "$each" no
    [ -n "$rate" ] || rate=$(calculate "$leaves * $micro_batch / $compute")
    alone=$communication plain=$step
    bench "$n" "$each" yes
    "$bin/ddpm-dist" plan --config "$config" --ranks "$ranks" --ranks-per-node "$each" \
      --network "$([ "$speed" = none ] && echo 1000 || echo "$link")G" --rate "$rate" \
      --set "train.micro_batch=$micro_batch" --set "train.batch=$((ranks * leaves * micro_batch))" \
      --json >"$work/plan"
    printf '%-6s %-9s %8.2f | %8.3f / %6.3f | %8.3f / %6.3f | %8.3f / %6.3f\n' "$c" "$shown" "$rate" \
      "$alone" "$(field communication_seconds "$work/plan")" \
      "$plain" "$(field step_seconds "$work/plan")" \
      "$step" "$(field overlapped_step_seconds "$work/plan")"
  done
done
