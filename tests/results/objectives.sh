#!/usr/bin/env bash
# A table of objectives: trains the quickstart's network on Fashion-MNIST by every
# objective for the same number of steps, judges each, and prints the table.
#   tests/results/objectives.sh OUT [STEPS] [IMAGES]
# STEPS of 32 images, default 2000; IMAGES a drawing that is judged, default 500.
# What is done in the folder OUT stays; the same command goes on. About two hours on two cores.
set -euo pipefail
case "${1:-}" in -h | --help | '') sed -n '2,6s/^# \{0,1\}//p' "$0"; [ -n "${1:-}" ]; exit ;; esac
out=$1 steps=${2:-2000} images=${3:-500}
# shellcheck source=tests/results/lib.sh
. "$(dirname "$0")/lib.sh" "$out"

# name | settings of training, with commas between them | options of the sampler beyond its defaults
objectives=(
  "eps||"
  "eps-uniform|objective.timesteps=uniform|"
  "eps-importance|objective.timesteps=importance|"
  "eps-min-snr|objective.min_snr=5|"
  "eps-kl|objective.loss=kl|"
  "eps-kl-importance|objective.loss=kl,objective.timesteps=importance|"
  "eps-kl-learned|objective.loss=kl,objective.variance=learned|"
  "eps-hybrid-range|objective.loss=hybrid,objective.variance=learned_range|"
  "x0|objective.prediction=x0|"
  "xprev|objective.prediction=xprev|"
  "v|objective.prediction=v|"
  "v-min-snr|objective.prediction=v,objective.min_snr=5|"
  "flow|diffusion.process=flow,objective.timesteps=stratified|"
  "flow-logit-normal|diffusion.process=flow,objective.timesteps=logit_normal|"
  "classes|model.classes=10,train.label_dropout=0.1|"
  "classes-guided|model.classes=10,train.label_dropout=0.1|--guidance 2"
)

distance() { # RESULT.json SAMPLES
  judge "$1" classifier-distance "$2" "$test_set" --train "$train_set" --classifier "$out/classifier.h5"
}

say "what as many images of the data come to"
mkdir -p "$out/data"
some=$(training_images "$images")
distance "$out/data/classifier.json" "$some"
judge "$out/data/swd.json" swd "$some" "$test_set"

for objective in "${objectives[@]}"; do
  IFS='|' read -r name settings options <<<"$objective"
  run=$out/$name
  say "$name"
  if [ "$name" = classes-guided ]; then # the run of classes, drawn otherwise
    mkdir -p "$run"
    [ -e "$run/checkpoints" ] || ln -s ../classes/checkpoints "$run/checkpoints"
    [ -e "$run/metrics.jsonl" ] || ln -s ../classes/metrics.jsonl "$run/metrics.jsonl"
  else
    sets=()
    IFS=, read -ra each <<<"$settings"
    for one in "${each[@]}"; do sets+=(--set "$one"); done
    train "$root/configs/quickstart.ini" "$run" --set train.time_limit=0 --set "train.steps=$steps" \
      --set sample.every=0 "${sets[@]}"
  fi
  read -ra more <<<"$options"
  draw "$run" "$run/samples.h5" -n "$images" --uint8 --steps 50 "${more[@]}" # by ddim; a flow by euler
  draw "$run" "$run/grid.png" -n 16 --steps 50 "${more[@]}"
  distance "$run/classifier.json" "$run/samples.h5"
  judge "$run/swd.json" swd "$run/samples.h5" "$test_set"
  case $name in flow*) continue ;; esac
  if [ "$name" != eps-kl-learned ]; then # whose variance is that of all 1000 steps
    draw "$run" "$run/ddpm.h5" -n "$images" --uint8 --steps 250 --sampler ddpm "${more[@]}"
    distance "$run/ddpm.json" "$run/ddpm.h5"
  fi
  [ "$name" = classes-guided ] || judge "$run/bpd.json" bpd "$run" "$test_set" -n 500
done

python3 "$(dirname "$0")/objectives_table.py" "$out" "${objectives[@]}"
