#!/usr/bin/env bash
# From nothing to a picture: installs what is missing, builds, prepares Fashion-MNIST, trains on all
# cores for five minutes under mpirun, draws a grid of samples, and inspects the checkpoint.
#   launch/quickstart.sh [RUN_DIR]      default: runs/quickstart
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
case "${1:-}" in -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
run=${1:-runs/quickstart}
bin=$root/build/release/bin
data=$root/runs/data/fashion-mnist.h5
source_dir=/usr/share/datasets/fashion-mnist
# shellcheck source=launch/mpi-env.sh
. "$root/launch/mpi-env.sh"

started=$SECONDS
step() { printf '\n== %s  (%d s so far)\n' "$*" $((SECONDS - started)); }

step "1/6 packages"
launch/install-deps.sh

step "2/6 build"
if ! { cmake --preset release -DDDPM_BUILD_TESTS=OFF && cmake --build --preset release; } >build.log 2>&1; then
  tail -n 30 build.log >&2
  echo "quickstart: the build failed; all of it is in $root/build.log" >&2
  exit 70
fi
rm -f build.log

step "3/6 data"
if [ ! -f "$data" ]; then
  mkdir -p "$(dirname "$data")"
  "$bin/ddpm-data" import idx "$source_dir/train-images-idx3-ubyte.gz" \
    --labels "$source_dir/train-labels-idx1-ubyte.gz" --pad 32 --name Fashion-MNIST -o "$data"
fi
"$bin/ddpm-data" info "$data"

step "4/6 training"
launch/local.sh configs/quickstart.ini --set "data.path=$data" --run "$run"

step "5/6 samples"
# After minutes of training the network errs much, which ddpm's noise mends and ddim, the default, does not.
mpirun -np "$(nproc)" "$bin/ddpm-sample" "$run" -n 64 --sampler ddpm --steps 250 -o "$run/grid.png"

step "6/6 the checkpoint"
"$bin/ddpm-inspect" "$run"

printf '\nDone in %d s: look at %s\n' $((SECONDS - started)) "$run/grid.png"
