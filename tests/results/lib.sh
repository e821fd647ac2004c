# shellcheck shell=bash
# For the scripts beside it: . lib.sh OUT. Fashion-MNIST in OUT, and how to train,
# draw and judge so that what is done is not done again.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${DDPM_BIN:-$root/build/release/bin}
out=$1
export DDPM_BIN=$bin
# shellcheck source=launch/mpi-env.sh
. "$root/launch/mpi-env.sh"
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE # settings for old programs, where they are
mkdir -p "$out"
train_set=$out/fashion-mnist.h5
test_set=$out/fashion-mnist-test.h5

say() { printf '%(%H:%M:%S)T  %s\n' -1 "$*" >&2; }
ranks() { mpirun -np "$(nproc)" "$@"; }
# train CONFIG RUN ARGUMENT...
train() {
  local config=$1 run=$2
  shift 2
  [ -f "$run/done" ] || "$root/launch/local.sh" "$config" --set "data.path=$train_set" \
    --set "eval.data=$test_set" --run "$run" "$@"
}
# draw CHECKPOINT FILE ARGUMENT...
draw() {
  local from=$1 file=$2
  shift 2
  [ -f "$file" ] || ranks "$bin/ddpm-sample" "$from" -o "$file" "$@"
}
# judge RESULT.json SUBCOMMAND ARGUMENT...
judge() {
  local result=$1
  shift
  [ -s "$result" ] && return
  ranks "$bin/ddpm-eval" "$@" --json --out "$(dirname "$result")" >"$result.part"
  mv "$result.part" "$result"
}

for part in train t10k; do
  set=$train_set
  [ $part = train ] || set=$test_set
  from=/usr/share/datasets/fashion-mnist/$part
  [ -f "$set" ] || "$bin/ddpm-data" import idx "$from-images-idx3-ubyte.gz" \
    --labels "$from-labels-idx1-ubyte.gz" --pad 32 --name Fashion-MNIST -o "$set"
done

# training_images N: as many images of the training set, what samples are compared with; prints the file
training_images() {
  local some=$out/training-$1.h5
  if [ ! -f "$some" ]; then
    python3 "$root/tests/results/first_images.py" /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz \
      "$1" "$out/training-$1.idx" &&
      "$bin/ddpm-data" import idx "$out/training-$1.idx" --pad 32 --name "$1 training images" -o "$some" >&2 || return
  fi
  echo "$some"
}
