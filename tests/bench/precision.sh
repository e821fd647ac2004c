#!/usr/bin/env bash
# What train.precision does to the loss: trains the quickstart's network on Fashion-MNIST in fp32 and
# in bf16 from the same seeds, and prints for each run the mean loss of the last 100 steps and the
# mean norm of the gradient, then the spread over seeds and the ratios between the precisions.
#   tests/bench/precision.sh DATA.h5 [STEPS] [SEEDS]      default: 500 steps, seeds "1 2 3"
# DATA.h5 is made by ddpm-data (see launch/quickstart.sh); BIN is where the programs are.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
case "${1:-}" in -h | --help | '') sed -n '2,6s/^# \{0,1\}//p' "$0"; [ -n "${1:-}" ]; exit ;; esac
data=$1 steps=${2:-500} seeds=${3:-1 2 3}
bin=${BIN:-$root/build/release/bin}
# shellcheck source=launch/mpi-env.sh
. "$root/launch/mpi-env.sh"
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT

for seed in $seeds; do
  for precision in fp32 bf16; do
    "$bin/ddpm-dist" train -c "$root/configs/quickstart.ini" --set "data.path=$data" \
      --set "train.steps=$steps" --set train.time_limit=0 --set "train.seed=$seed" \
      --set "train.precision=$precision" --set log.every=1 --set sample.every=0 \
      --set "checkpoint.every=$steps" --run "$runs/$precision-$seed" >"$runs/log" 2>&1 || {
      cat "$runs/log" >&2
      exit 1
    }
  done
done

python3 - "$runs" "$seeds" <<'END'
import json, statistics, sys

runs, seeds = sys.argv[1], sys.argv[2].split()
means = {}
for precision in "fp32", "bf16":
    for seed in seeds:
        with open(f"{runs}/{precision}-{seed}/metrics.jsonl") as lines:
            rows = [row for row in map(json.loads, lines) if "loss" in row]
        loss = statistics.fmean(row["loss"] for row in rows[-100:])
        norm = statistics.fmean(row["grad_norm"] for row in rows[-100:])
        means[precision, seed] = loss, norm
        print(f"{precision}  seed {seed}  loss {loss:.6f}  gradient norm {norm:.5f}")
for precision in "fp32", "bf16":
    losses = [means[precision, seed][0] for seed in seeds]
    spread = statistics.stdev(losses) if len(losses) > 1 else 0.0
    print(f"{precision}  mean loss {statistics.fmean(losses):.6f}  spread over seeds {spread:.6f}")
for i, what in enumerate(("loss", "gradient norm")):
    ratios = [means["bf16", seed][i] / means["fp32", seed][i] for seed in seeds]
    print(f"bf16 / fp32, {what}: " + "  ".join(f"{ratio:.4f}" for ratio in ratios))
END
