#!/usr/bin/env bash
# Every program once on a short run, under LeakSanitizer: fails where one of them loses memory, or
# AddressSanitizer or UndefinedBehaviorSanitizer find anything.
#   tests/leaks.sh [BUILD_DIR]
# BUILD_DIR (build/debug) was built with the preset debug. What other libraries keep is named in
# leaks.supp.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-$here/../build/debug}" && pwd) || exit 66
bin=$build/bin
# shellcheck source=launch/mpi-env.sh
. "$here/../launch/mpi-env.sh"
# shellcheck source=tests/e2e/lib.sh
. "$here/e2e/lib.sh" leaks
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
export ASAN_OPTIONS=detect_leaks=1:fast_unwind_on_malloc=0:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=suppressions=$here/leaks.supp:print_suppressions=0
keep=$build/tests/lib/libkeep_loaded.so
[ -f "$keep" ] || { echo "leaks: $keep is missing: build the preset debug" >&2; exit 66; }

# program CODE NAME ARGUMENT...: one process; ranks N CODE NAME ARGUMENT...: several.
program() {
  local code=$1 name=$2
  shift 2
  run "$code" env LD_PRELOAD="$(asan):$keep" "$bin/$name" "$@"
}
ranks() {
  local count=$1 code=$2 name=$3
  shift 3
  run "$code" mpirun -n "$count" env LD_PRELOAD="$(asan):$keep" "$bin/$name" "$@"
}
# The sanitizer's library must come before any other that is preloaded.
asan() { ldd "$bin/ddpm-dist" | sed -n 's/.*libasan[^ ]* => \([^ ]*\).*/\1/p'; }

# A leak of ours must be seen, or nothing here means anything.
run 99 env LD_PRELOAD="$(asan):$keep" "$build/tests/bin/test_leaks"
says 'lose_memory'

cat >tiny.ini <<'INI'
[data]
path = shapes.h5
[model]
channels = 8
channel_mult = 1,2
blocks = 1
attention = 4
groups = 2
[train]
batch = 4
micro_batch = 1
steps = 3
warmup = 1
threads = 1
[ema]
rates = 0.99,0.9
[checkpoint]
every = 2
[sample]
every = 3
count = 2
steps = 2
[diffusion]
steps = 20
[log]
every = 1
INI
printf '\0\0\10\3\0\0\0\2\0\0\0\2\0\0\0\3abcdefABCDEF' >images.idx
printf '\0\0\10\1\0\0\0\2\1\0' >labels.idx
head -c 3072 /dev/zero | sed 's/^/\x01/' >batch.bin
printf 'not an image' >broken.png

program 0 ddpm-data generate shapes --size 8 -n 12 --output shapes.h5
program 0 ddpm-data generate gaussian --size 8 -n 4 --output gaussian.h5
program 0 ddpm-data import idx images.idx --labels labels.idx --pad 8 --output idx.h5
program 0 ddpm-data import cifar10 batch.bin --output cifar.h5
program 0 ddpm-data import hdf5 shapes.h5 --object images --output again.h5
program 0 ddpm-data grid shapes.h5 --output grid.png
program 0 ddpm-data import images grid.png --size 8 --output images.h5
program 65 ddpm-data import images broken.png --size 8 --output broken.h5
program 65 ddpm-data import idx batch.bin --output broken.h5
program 65 ddpm-data import hdf5 batch.bin --output broken.h5
program 0 ddpm-data info --verify shapes.h5
program 65 ddpm-data info grid.png

program 0 ddpm-dist config --config tiny.ini
program 78 ddpm-dist config --config tiny.ini --set train.bacth=3
program 0 ddpm-dist plan --config tiny.ini
program 0 ddpm-dist train --config tiny.ini --run one
ranks 2 0 ddpm-dist train --config tiny.ini --run two --set checkpoint.every=1
ranks 2 0 ddpm-dist train --config tiny.ini --run two --set train.steps=4
ranks 2 0 ddpm-dist train --config tiny.ini --run sharded --set dist.sharded_optimizer=true
eval=(--set eval.every=2 --set eval.data=held.h5 --set eval.draws=3)
program 0 ddpm-data generate shapes --size 8 --seed 3 -n 9 --output held.h5
program 0 ddpm-dist train --config tiny.ini --run judged "${eval[@]}"
ranks 2 0 ddpm-dist train --config tiny.ini --run judged2 "${eval[@]}"
program 78 ddpm-dist train --config tiny.ini --run bad "${eval[@]}" --set eval.data=idx.h5
program 0 ddpm-sample judged --best -n 1 --steps 2 --output best.png
program 0 ddpm-dist bench --config tiny.ini --steps 2
program 0 ddpm-dist doctor --config tiny.ini --run one

newest=$(find one/checkpoints -name '*.h5' | sort | tail -n 1)
for command in summary tree stats verify config; do program 0 ddpm-inspect "$command" "$newest"; done
program 0 ddpm-inspect --json "$newest"
program 1 ddpm-inspect diff "$newest" "$(find two/checkpoints -name '*.h5' | sort | tail -n 1)"
head -c 4000 "$newest" >cut.h5
program 65 ddpm-inspect summary cut.h5
program 0 ddpm-sample one -n 3 --batch 2 --sampler ddim --steps 2 --output samples.png
ranks 2 0 ddpm-sample "$newest" -n 3 --batch 1 --steps 2 --sampler ddpm --output samples.h5

seq 1 40 | awk '{ print $1 * 7 % 11, $1 * $1 % 13, $1 % 5 }' >features.txt
run 0 h5import features.txt -d 40,3 -p features -t TEXTFP -s 32 -o features.h5
program 0 ddpm-eval bpd one shapes.h5 -n 4 --draws 3
program 0 ddpm-eval memorization held.h5 shapes.h5 --held-out images.h5
program 0 ddpm-eval swd held.h5 shapes.h5 --directions 4 --patches 4
program 0 ddpm-eval classifier-distance held.h5 shapes.h5 --epochs 1
program 0 ddpm-eval compare eval
for metric in fid kid prdc; do program 0 ddpm-eval "$metric" features.h5 features.h5 --protocol ours; done
program 66 ddpm-eval fid features.h5 nowhere.h5 --protocol ours
program 65 ddpm-eval swd held.h5 features.h5
ranks 2 0 ddpm-eval memorization held.h5 shapes.h5 -o two
ranks 2 0 ddpm-eval swd held.h5 shapes.h5 --directions 4 --patches 4 -o two
ranks 2 0 ddpm-eval classifier-distance held.h5 shapes.h5 --epochs 1 -o two
ranks 2 0 ddpm-eval classifier-distance held.h5 shapes.h5 -o two --json
for metric in fid kid prdc; do ranks 2 0 ddpm-eval "$metric" features.h5 features.h5 --protocol ours; done
finish 55
