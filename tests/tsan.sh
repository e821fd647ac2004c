#!/usr/bin/env bash
# The threads beside the computation (prefetch, communication, checkpoints, watchdog, lock) under
# ThreadSanitizer, built by clang.
#   tests/tsan.sh [--full]
# Builds the preset tsan. OpenMP has one thread: its barriers are not ThreadSanitizer's, and what it
# computes is the same on any number (tests say so). Open MPI and HDF5 are not instrumented: what they
# do within themselves is left out. --full runs all unit tests of these layers, and longer training.
set -euo pipefail
cd "$(dirname "$0")/.."
full=""
case "${1:-}" in
  "") ;;
  --full) full=1 ;;
  *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac
# shellcheck source=launch/mpi-env.sh
. launch/mpi-env.sh
targets=(test_data_prefetch test_train_save test_train_run_lock test_mpi_reducer test_mpi_watchdog test_races
  ddpm-dist ddpm-data)
[ -n "$full" ] && targets+=(test_data_dataset test_mpi_step test_train_step test_mpi_sample)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! { cmake --preset tsan && cmake --build --preset tsan --target "${targets[@]}"; } >"$work/log" 2>&1; then
  tail -n 40 "$work/log"
  echo "tests/tsan.sh: the tsan build failed" >&2
  exit 1
fi
bin=$PWD/build/tsan/bin tests=$PWD/build/tsan/tests/bin
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 DDPM_ISA=generic
export TSAN_OPTIONS=exitcode=99:ignore_noninstrumented_modules=1:second_deadlock_stack=1

runs=0
run() { # COMMAND...
  runs=$((runs + 1))
  if ! "$@" >"$work/out" 2>&1; then
    echo "tests/tsan.sh: failed: $*"
    grep -a -A 40 -m 1 'WARNING: ThreadSanitizer' "$work/out" || tail -n 40 "$work/out"
    exit 1
  fi
}
# A race must be seen, or nothing here means anything.
if "$tests/test_races" >"$work/out" 2>&1; then
  echo "tests/tsan.sh: a race of ours was not seen" >&2
  exit 1
fi
grep -q 'data race' "$work/out"

run "$tests/test_data_prefetch"
run "$tests/test_train_save"
run "$tests/test_train_run_lock"
run mpirun -n 2 "$tests/test_mpi_watchdog"
run mpirun -n 2 "$tests/test_mpi_reducer"
cd "$work"
cat >tiny.ini <<'INI'
[data]
path = shapes.h5
flip = yes
[model]
channels = 8
channel_mult = 1,2
blocks = 1
attention = 4
groups = 2
[train]
batch = 8
micro_batch = 1
steps = 6
warmup = 1
threads = 1
[ema]
rates = 0.99,0.9
[checkpoint]
every = 1
[sample]
every = 4
count = 2
steps = 2
[diffusion]
steps = 20
[log]
every = 1
INI
run "$bin/ddpm-data" generate shapes --size 8 -n 40 --output shapes.h5
train() { run mpirun -n 2 "$bin/ddpm-dist" train --config tiny.ini "$@"; }
train --run run
train --run run --set train.steps=8 --set dist.sharded_optimizer=true
if [ -n "$full" ]; then
  train --run long --set train.steps=60 --set checkpoint.every=3
  train --run mpi --set dist.allreduce=mpi
  train --run calm --set dist.overlap=false
  for test in test_data_dataset test_train_step; do run "$tests/$test"; done
  for test in test_mpi_reducer test_mpi_step test_mpi_sample; do run mpirun -n 3 "$tests/$test"; done
fi
echo "ThreadSanitizer: $runs runs, no race"
