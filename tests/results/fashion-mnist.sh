#!/usr/bin/env bash
# What docs/results.md says of configs/fashion-mnist.ini: trains it, then draws and judges.
#   tests/results/fashion-mnist.sh OUT [TIME] [IMAGES]
# TIME of training, default 2h; IMAGES a drawing that is judged, default 300. What is done in the
# folder OUT stays; the same command goes on. About four hours on two cores; prints the tables.
set -euo pipefail
case "${1:-}" in -h | --help | '') sed -n '2,5s/^# \{0,1\}//p' "$0"; [ -n "${1:-}" ]; exit ;; esac
out=$1 time=${2:-2h} images=${3:-300}
# shellcheck source=tests/results/lib.sh
. "$(dirname "$0")/lib.sh" "$out"
run=$out/fashion-mnist
judged=$out/judged
pictures=$out/pictures
mkdir -p "$judged" "$pictures"

say "training"
train "$root/configs/fashion-mnist.ini" "$run" --set "train.time_limit=$time"
"$bin/ddpm-inspect" --json "$run" >"$judged/checkpoint.json"

say "pictures"
draw "$run" "$pictures/grid.png" -n 64 --sampler ddpm
draw "$run" "$pictures/forward.png" --forward "$test_set:0"
draw "$run" "$pictures/progressive.png" --progressive -n 6 --sampler ddpm
draw "$run" "$pictures/prefix.png" --prefix --steps 250 --sampler ddpm
draw "$run" "$pictures/interpolate.png" --interpolate "$test_set:1" "$test_set:2" --t 125,250,500,750
draw "$run" "$pictures/heun.png" -n 9 --sampler heun --steps 20 --seed 7
draw "$run" "$pictures/ddim.png" -n 9 --sampler ddim --steps 200 --seed 7
draw "$run" "$pictures/vary.png" --vary "$test_set:0" --sampler ddpm --steps 250
if [ ! -f "$pictures/inpaint.png" ]; then
  python3 "$(dirname "$0")/mask.py" "$out/mask.png"
  draw "$run" "$pictures/inpaint.png" --inpaint "$test_set:0" --mask "$out/mask.png" --sampler ddpm --steps 100
fi

say "the bound"
for set in "$test_set" "$train_set"; do
  mkdir -p "$judged/$(basename "$set" .h5)"
  judge "$judged/$(basename "$set" .h5)/bpd.json" bpd "$run" "$set" -n 2000
done

distance() { # NAME SAMPLES
  judge "$judged/$1-classifier.json" classifier-distance "$2" "$test_set" --train "$train_set" \
    --classifier "$out/classifier.h5"
  judge "$judged/$1-swd.json" swd "$2" "$test_set"
}
say "what as many images of the data come to"
some=$(training_images "$images")
distance data "$some"

# sample NAME SAMPLER STEPS OPTION...
sample() {
  local name=$1 sampler=$2 steps=$3
  shift 3
  say "$name"
  draw "$run" "$out/$name.h5" -n "$images" --uint8 --sampler "$sampler" --steps "$steps" "$@"
  distance "$name" "$out/$name.h5"
}
for steps in 10 20 50 100 1000; do
  sample "ddpm-$steps" ddpm "$steps"
  [ "$steps" -gt 50 ] || sample "ddpm-small-$steps" ddpm "$steps" --variance fixedsmall
  sample "ddim-$steps" ddim "$steps"
  sample "ddim-eps-$steps" ddim "$steps" --clip eps
  [ "$steps" -le 50 ] || continue
  sample "dpm++-$steps" dpm++ "$steps"
  sample "heun-$steps" heun $((steps / 2)) # evaluates twice a step
  sample "heun-none-$steps" heun $((steps / 2)) --no-clip
done

say "how much is chance: other seeds"
mkdir -p "$out/seeds" "$judged/seeds"
for seed in 1 2; do
  for sampler in ddim ddpm; do
    sample "seeds/$sampler-50-$seed" "$sampler" 50 --seed "$seed"
  done
done

say "nearest neighbours"
draw "$run" "$out/many.h5" -n 1000 --uint8 --sampler ddim --steps 50
mkdir -p "$judged/memorization"
judge "$judged/memorization/memorization.json" memorization "$out/many.h5" "$train_set" --held-out "$test_set" -n 1000

say "plots over the number of steps"
(cd "$out" && "$bin/ddpm-eval" compare judged --out judged/compare >/dev/null)

python3 "$(dirname "$0")/fashion_mnist_tables.py" "$judged"
