#!/usr/bin/env bash
# What objective.timesteps = stratified is worth (docs/decisions/006): trains the quickstart's network
# at half its width with uniform and with stratified timesteps, everything else the same, and prints
# over the last half of the steps, for each size of batch,
#   - the standard deviation of the loss from step to step, that of differences of neighbouring steps
#     over sqrt(2), so that the trend does not count;
#   - the mean of the squared gradient norm, which is |mean gradient|^2 plus the variance,
# each uniform, stratified, and stratified / uniform with its spread over seeds.
#   tests/bench/timesteps.sh [DATA.h5 [STEPS [SEEDS [BATCHES [KEY=VALUE...]]]]]
# default: generated shapes, 400 steps, seeds "1 2 3", batches "8 32 128". DATA.h5 is made by ddpm-data
# (see launch/quickstart.sh); KEY=VALUE: of the configuration, e.g. objective.loss=kl. BIN is where the programs are.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
case "${1:-}" in -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit ;; esac
data=${1:-} steps=${2:-400} seeds=${3:-1 2 3} batches=${4:-8 32 128}
sets=()
for set in "${@:5}"; do sets+=(--set "$set"); done
bin=${BIN:-$root/build/release/bin}
# shellcheck source=launch/mpi-env.sh
. "$root/launch/mpi-env.sh"
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
if [ -z "$data" ]; then
  data=$runs/shapes.h5
  "$bin/ddpm-data" generate shapes -q -n 10000 --size 32 -o "$data"
fi

for batch in $batches; do
  for seed in $seeds; do
    for timesteps in uniform stratified; do
      "$bin/ddpm-dist" train -c "$root/configs/quickstart.ini" --set "data.path=$data" \
        --set model.image_channels=0 --set model.channels=16 \
        --set "objective.timesteps=$timesteps" --set "train.batch=$batch" \
        --set train.micro_batch=8 --set "train.steps=$steps" --set train.time_limit=0 \
        --set "train.seed=$seed" \
        --set log.every=1 --set sample.every=0 --set "checkpoint.every=$steps" "${sets[@]}" \
        --run "$runs/$timesteps-$batch-$seed" >"$runs/log" 2>&1 || {
        code=$?
        cat "$runs/log" >&2
        exit $code
      }
      find "$runs" -name 'step-*.h5' -delete
    done
  done
done

python3 - "$runs" "$steps" "$seeds" "$batches" <<'END'
import json, statistics, sys

runs, steps = sys.argv[1], int(sys.argv[2])
seeds, batches = sys.argv[3].split(), sys.argv[4].split()


def measures(timesteps, batch, seed):
    with open(f"{runs}/{timesteps}-{batch}-{seed}/metrics.jsonl") as lines:
        rows = [row for row in map(json.loads, lines) if "loss" in row][steps // 2:]
    loss = [row["loss"] for row in rows]
    square = statistics.fmean((b - a) ** 2 for a, b in zip(loss, loss[1:])) / 2
    return square ** 0.5, statistics.fmean(row["grad_norm"] ** 2 for row in rows)


def cells(values):
    ratios = [b / a for a, b in zip(*values)]
    spread = f" ± {statistics.stdev(ratios):.2f}" if len(ratios) > 1 else ""
    return [f"{statistics.fmean(v):.5f}" for v in values] + [f"{statistics.fmean(ratios):.2f}{spread}"]


print("| batch | loss: uniform | stratified | ratio | squared gradient: uniform | stratified | ratio |")
print("|---|---|---|---|---|---|---|")
for batch in batches:
    found = [[measures(timesteps, batch, seed) for seed in seeds]
             for timesteps in ("uniform", "stratified")]
    row = [cells([[one[k] for one in way] for way in found]) for k in range(2)]
    print("| " + " | ".join([batch] + row[0] + row[1]) + " |")
END
