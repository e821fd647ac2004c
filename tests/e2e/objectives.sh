#!/usr/bin/env bash
# Every training objective with the real programs: it learns, the same on any number of ranks and
# through stops, its model can be drawn from, the programs say what it is; and a clear error for
# every combination that makes no sense.
#   objectives.sh BIN_DIR MPIRUN...
bin=$1
shift
mpirun=("$@")
golden=$(cd "$(dirname "$0")/../golden" && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh" objectives
export OMPI_MCA_ess_singleton_isolated=1

# sets SETTING...: as options, in ${set[@]}
sets() {
  local setting
  set=()
  for setting in "$@"; do set+=(--set "$setting"); done
}
# train NAME SETTING...: on one rank, into the directory NAME
train() {
  local name=$1
  shift
  sets "$@"
  run 0 "$bin/ddpm-dist" train --config tiny.ini --run "$name" "${set[@]}"
}
# ranks N NAME SETTING...
ranks() {
  local count=$1 name=$2
  shift 2
  sets "$@"
  run 0 "${mpirun[@]}" "$count" "$bin/ddpm-dist" train --config tiny.ini --run "$name" "${set[@]}"
}
# Weights, averages and moments of a run's newest checkpoint
hashes() {
  run 0 "$bin/ddpm-inspect" --json "$1"
  echo "$(field step) $(field model) $(field ema) $(field optimizer)"
}
losses() { sed -n 's/^{"step".*"loss":\([^,]*\),"loss_q0.*/\1/p' "$1/metrics.jsonl"; }
# learns NAME SETTING...: the mean loss of the last ten steps is well below that of the first ten
learns() {
  train "$@"
  checks=$((checks + 1))
  losses "$1" | awk '
    NR <= 10 { first += $1 } { loss[NR] = $1 } !($1 ~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/) { bad = 1 }
    END { for (i = NR - 9; i <= NR; i++) last += loss[i]
          exit !(NR == 40 && !bad && last < 0.98 * first) }' || failed "$1 does not learn"
}
differ() {
  checks=$((checks + 1))
  [ "$2" != "$3" ] || failed "$1: both are '$2'"
}

cat >tiny.ini <<'INI'
[data]
path = shapes.h5
[model]
channels = 8
channel_mult = 1,2
blocks = 1
attention =
dropout = 0.1
groups = 4
[diffusion]
steps = 20
beta_end = 0.4
[train]
batch = 16
micro_batch = 4
steps = 40
warmup = 0
lr = 3e-3
threads = 1
[ema]
rates = 0.9
[sample]
every = 0
[log]
every = 1
INI
run 0 "$bin/ddpm-data" generate shapes -n 48 --size 8 -o shapes.h5
run 0 "$bin/ddpm-data" generate gaussian -n 48 --size 8 -o unlabelled.h5
# Chequered images, each of twice the contrast of the one before it, from 1/255 to 1
{
  printf '\0\0\10\3\0\0\0\060\0\0\0\10\0\0\0\10'
  # shellcheck disable=SC2059
  printf "$(awk 'BEGIN { for (i = 0; i < 48; i++) for (k = 0; k < 64; k++) {
    c = 2 ^ (i % 8) - 1; printf "\\%03o", (k + int(k / 8)) % 2 ? 128 + c : 127 - c } }')"
} >contrasts.idx
run 0 "$bin/ddpm-data" import idx contrasts.idx -o contrasts.h5

echo "- every schedule trains and is drawn from"
run 0 "$bin/ddpm-dist" config --explain
schedules=$(sed -n 's/.*how beta grows.*; one of: //p' out)
same "schedules" "$(wc -w <<<"$schedules")" 7
seen=""
for schedule in $schedules; do
  train "schedule-$schedule" diffusion.schedule="$schedule" train.steps=3 sample.every=3 sample.steps=5 sample.count=2
  checks=$((checks + 1))
  [ -s "schedule-$schedule/samples/step-000000003.png" ] || failed "schedule $schedule has no samples"
  loss=$(losses "schedule-$schedule" | tail -n 1)
  case " $seen " in *" $loss "* | *null*) failed "the loss of schedule $schedule is $loss" ;; esac
  seen+=" $loss"
done
run 78 "$bin/ddpm-dist" train --config tiny.ini --run none --set diffusion.schedule=sine
says "linear cosine quad const warmup10 warmup50 jsd"

echo "- every objective learns, each something else"
models=""
for prediction in eps x0 xprev v; do
  for how in mse/fixedlarge kl/fixedlarge kl/fixedsmall kl/learned kl/learned_range \
    hybrid/learned hybrid/learned_range; do
    name=$prediction-${how%/*}-${how#*/}
    learns "$name" objective.prediction=$prediction objective.loss="${how%/*}" \
      objective.variance="${how#*/}"
    models+="$(hashes "$name")"$'\n'
  done
  learns "$prediction-snr" objective.prediction=$prediction objective.min_snr=5
  models+="$(hashes "$prediction-snr")"$'\n'
done
learns hybrid-snr objective.loss=hybrid objective.variance=learned_range objective.min_snr=5
models+="$(hashes hybrid-snr)"$'\n'
for timesteps in uniform stratified logit_normal; do
  learns "flow-$timesteps" diffusion.process=flow objective.timesteps=$timesteps
  models+="$(hashes "flow-$timesteps")"$'\n'
done
learns flow-snr diffusion.process=flow objective.min_snr=5
models+="$(hashes flow-snr)"$'\n'
for timesteps in uniform importance; do
  learns "eps-$timesteps" objective.timesteps=$timesteps
  models+="$(hashes "eps-$timesteps")"$'\n'
done
learns classes model.classes=6 train.label_dropout=0.3
models+="$(hashes classes)"$'\n'
learns told model.classes=6 train.label_dropout=0
models+="$(hashes told)"$'\n'
same "models that differ" "$(printf %s "$models" | sort -u | wc -l)" 41

echo "- what is the same"
expected=$(hashes eps-mse-fixedlarge)
train small objective.variance=fixedsmall # which has no part in mse
same "a fixed variance under mse" "$(hashes small)" "$expected"
train stratified objective.timesteps=stratified objective.prediction=eps
same "the defaults" "$(hashes stratified)" "$expected"
train velocity diffusion.process=flow objective.prediction=velocity
same "what a flow predicts" "$(hashes velocity)" "$(hashes flow-stratified)"

echo "- a stratified batch has as many images in each quarter of the timesteps"
quarters='"images_q0":4,"images_q1":4,"images_q2":4,"images_q3":4'
same "steps that do" "$(grep -c "$quarters" eps-mse-fixedlarge/metrics.jsonl)" 40
same "of a flow" "$(grep -c "$quarters" flow-stratified/metrics.jsonl)" 40
checks=$((checks + 1))
[ "$(grep -c "$quarters" eps-uniform/metrics.jsonl)" -lt 10 ] || failed "uniform is stratified"

echo "- on two ranks, and stopped and resumed on three"
# again NAME STEPS SETTING...: the model NAME, and its losses to the last digit, are the same when it
# stopped after STEPS
again() {
  local name=$1 stop=$2 expected
  expected=$(hashes "$name")
  shift 2
  train parts "$@" train.steps="$stop"
  ranks 3 parts "$@"
  says "after $stop steps"
  same "$name in parts" "$(hashes parts)" "$expected"
  same "losses of $name in parts" "$(losses parts)" "$(losses "$name")"
  rm -rf parts
}
again eps-mse-fixedlarge 23
again eps-importance 23 objective.timesteps=importance
again flow-logit_normal 23 diffusion.process=flow objective.timesteps=logit_normal
again classes 23 model.classes=6 train.label_dropout=0.3
again v-hybrid-learned_range 23 objective.prediction=v objective.loss=hybrid \
  objective.variance=learned_range
for name in xprev-kl-learned flow-stratified eps-importance; do
  case $name in
    xprev*) sets objective.prediction=xprev objective.loss=kl objective.variance=learned ;;
    flow*) sets diffusion.process=flow ;;
    *) sets objective.timesteps=importance ;;
  esac
  run 0 "${mpirun[@]}" 2 "$bin/ddpm-dist" train --config tiny.ini --run two "${set[@]}"
  same "$name on 2 ranks" "$(hashes two)" "$(hashes "$name")"
  rm -rf two
done
# The weights of images follow from sums of squared losses. Only where these spread over decades do
# such sums round, and then their order must be that of a run which nothing stopped.
contrasts=(data.path=contrasts.h5 objective.prediction=x0 objective.timesteps=importance
  train.lr=1e-4 train.steps=60)
train contrasts "${contrasts[@]}"
again contrasts 40 "${contrasts[@]}"

# The losses before a stop have a say after it: without them it would begin anew.
train forgets objective.timesteps=importance train.steps=23
train forgets objective.timesteps=importance
same "its own way" "$(hashes forgets)" "$(hashes eps-importance)"
differ "importance and uniform" "$(hashes eps-importance)" "$(hashes eps-uniform)"

sets objective.timesteps=importance
run 0 "${mpirun[@]}" 2 "$bin/ddpm-dist" bench --config tiny.ini --steps 40 "${set[@]}"

echo "- each can be drawn from"
for how in "eps-mse-fixedlarge --sampler ddpm --variance fixedsmall" "x0-snr --sampler dpm++" \
  "xprev-kl-learned --sampler ddpm --steps 20" "v-hybrid-learned_range --sampler ddpm --steps 5" \
  "eps-kl-fixedsmall --sampler heun" "flow-logit_normal" "eps-importance --sampler euler" \
  "classes --class 0,5 --guidance 2" "told --class 3"; do
  # shellcheck disable=SC2086
  run 0 "$bin/ddpm-sample" -q --threads 1 -n 2 -o picture.png $how
  same "the picture of $how" "$(head -c 4 picture.png | tail -c 3)" PNG
  rm -f picture.png
done

echo "- the programs say which it is"
run 0 "$bin/ddpm-inspect" v-hybrid-learned_range
says '^  objective *v by hybrid, variance learned_range, timesteps stratified$'
run 0 "$bin/ddpm-inspect" flow-snr
says '^  diffusion *none: a rectified flow$'
says '^  objective *velocity by mse, min-SNR 5, timesteps stratified$'
run 0 "$bin/ddpm-inspect" classes
says 'timesteps stratified; 6 classes, 0.3 withheld$'
run 0 "$bin/ddpm-inspect" --json flow-snr
same "the process in the JSON" "$(field process)" flow
run 0 "$bin/ddpm-dist" plan --config tiny.ini --set diffusion.process=flow
says '^objective  *velocity by mse, timesteps stratified$'
run 0 "$bin/ddpm-dist" plan --config tiny.ini --set diffusion.process=flow --json
same "the prediction of the plan" "$(field prediction)" velocity
run 0 "$bin/ddpm-dist" config --config tiny.ini
says '^timesteps = stratified$'
train said objective.min_snr=5 train.steps=1
says '^learns  *eps by mse, min-SNR 5, variance fixedlarge, timesteps stratified$'

echo "- what is without effect is named, once, and refused by none"
idle='warning: diffusion.beta_end = 0.4 (tiny.ini:12): without effect under diffusion.process = flow'
for command in config plan "train --run idle"; do
  # shellcheck disable=SC2086
  run 0 "$bin/ddpm-dist" $command --config tiny.ini --set train.steps=1
  silent 'without effect'
  rm -rf idle
  # shellcheck disable=SC2086
  run 0 "$bin/ddpm-dist" $command --config tiny.ini --set train.steps=1 --set diffusion.process=flow
  says "$idle (command line)\$"
  rm -rf idle
done
ranks 2 idle diffusion.process=flow train.steps=1
same "times that two ranks say it" "$(cat out err | grep -c "$idle")" 1
ranks 2 late diffusion.schedule=cosine diffusion.beta_start=0.5 train.steps=1
says 'diffusion.beta_start = 0.5 .*, diffusion.beta_end = 0.4 .*without effect under diffusion.sched'

echo "- every configuration that comes with the program takes a flow, and every prediction"
configs=("$(dirname "$0")"/../../configs/*.ini)
[ ${#configs[@]} -ge 4 ] || failed "only ${#configs[@]} configurations"
for config in "${configs[@]}"; do
  for set in diffusion.process=flow objective.prediction={x0,xprev,v}; do
    run 0 "$bin/ddpm-dist" config --config "$config" --set "$set"
  done
done

echo "- what makes no sense is refused by config, plan and train, in one line"
# refuses WHAT SETTING...
refuses() {
  local what=$1 command
  shift
  sets "$@"
  for command in config plan "train --run refused"; do
    # shellcheck disable=SC2086
    run 78 "$bin/ddpm-dist" $command --config tiny.ini "${set[@]}"
    says "$what"
    same "lines of the error" "$(grep -c . err)" 1
  done
  checks=$((checks + 1))
  [ ! -e refused ] || failed "'$last' made a run directory"
}
flow=diffusion.process=flow line='(command line) does not go with'
refuses "prediction = v $line diffusion.process = flow" $flow objective.prediction=v
refuses "prediction = velocity $line diffusion.process = diffusion" objective.prediction=velocity
refuses "loss = kl $line diffusion.process = flow" $flow objective.loss=kl
refuses "loss = hybrid $line diffusion.process" $flow objective.loss=hybrid \
  objective.variance=learned_range
refuses "variance = learned $line diffusion.process" $flow objective.variance=learned
refuses "timesteps = importance $line diffusion.process" $flow objective.timesteps=importance
refuses "timesteps = logit_normal $line diffusion.process" objective.timesteps=logit_normal
refuses "variance = learned $line objective.loss = mse" objective.variance=learned
refuses "variance = learned_range $line objective.loss = mse" objective.variance=learned_range
refuses "loss = hybrid $line objective.variance = fixedlarge" objective.loss=hybrid
refuses "min_snr = 5 $line objective.loss = kl" objective.loss=kl objective.min_snr=5
refuses "label_dropout = 0.2 $line model.classes = 0" train.label_dropout=0.2
refuses "label_dropout = 1 $line model.classes = 6" model.classes=6 train.label_dropout=1
refuses "must be one of: auto eps x0 xprev v velocity" objective.prediction=eps0
grids=(sample.every=5 sample.steps=10)
refuses 'sample.sampler = ddim.*this is a flow: take euler' $flow sample.sampler=ddim "${grids[@]}"
refuses 'sample.sampler = ddpm.*this is a flow: take euler' $flow sample.sampler=ddpm "${grids[@]}"
refuses 'sample.steps = 10 .*all 20 steps' sample.sampler=ddpm objective.loss=kl \
  objective.variance=learned "${grids[@]}"
refuses 'sample.sampler = heun.*xprev knows nothing' sample.sampler=heun \
  objective.prediction=xprev "${grids[@]}"
refuses 'sample.eta = 0.5 (command line) does not go with sample.sampler = heun' \
  sample.sampler=heun sample.eta=0.5 "${grids[@]}"
sets objective.loss=hybrid
run 78 "${mpirun[@]}" 2 "$bin/ddpm-dist" train --config tiny.ini --run refused "${set[@]}"
same "what two ranks say" "$(grep -c 'does not go with' err)" 1

echo "- classes that the data do not have"
for command in plan "train --run refused"; do
  # shellcheck disable=SC2086
  run 78 "$bin/ddpm-dist" $command --config tiny.ini --set data.path=unlabelled.h5 \
    --set model.classes=6
  says 'model.classes = 6 (command line), but the images of unlabelled.h5 (gaussian) have no labels'
  # shellcheck disable=SC2086
  run 78 "$bin/ddpm-dist" $command --config tiny.ini --set model.classes=5
  says 'model.classes = 5 (command line), but the labels of shapes.h5 (shapes) go up to 5'
done

echo "- a run keeps its objective"
for setting in objective.prediction=v objective.timesteps=stratified objective.min_snr=5 \
  diffusion.process=flow model.classes=6; do
  sets objective.timesteps=uniform $setting
  run 78 "$bin/ddpm-dist" train --config tiny.ini --run eps-uniform "${set[@]}"
  says "${setting%=*} = ${setting#*=} (command line), but this run was started with"
done

# But "auto" is a word for what it stands for.
# goes_on CODE NAME SETTING...: one step more of the run NAME
goes_on() {
  local code=$1 name=$2 step
  shift 2
  run 0 "$bin/ddpm-inspect" --json "$name"
  step=$(field step)
  sets train.steps=$((step + 1)) "$@"
  run "$code" "$bin/ddpm-dist" train --config tiny.ini --run "$name" "${set[@]}"
}
goes_on 0 eps-mse-fixedlarge objective.prediction=eps
says "after 40 steps"
goes_on 0 eps-mse-fixedlarge objective.prediction=auto
goes_on 78 eps-mse-fixedlarge objective.prediction=v
says 'prediction = v (command line), but this run was started with objective.prediction = auto'
goes_on 78 eps-mse-fixedlarge diffusion.process=flow
says 'process = flow (command line), but this run was started with diffusion.process = diffusion'
goes_on 0 flow-stratified diffusion.process=flow objective.prediction=velocity
says "after 40 steps"
goes_on 78 flow-stratified diffusion.process=flow objective.prediction=v

echo "- a run from before there were objectives draws uniform timesteps"
old=$golden/checkpoint-1.0
step=$(cut -d' ' -f1 "$old.txt")
run 0 "$bin/ddpm-inspect" config "$old.h5"
same "what it draws" "$(sed -n 's/^timesteps = //p' out)" uniform
sed '/^\[objective\]/,/^$/d' out >silent.ini
sed 's/^\(timesteps = \).*/\1stratified/' out >stratified.ini
# old CODE FILE N: a copy of it goes on for a step, on N ranks
old_run() {
  rm -rf old
  mkdir -p old/checkpoints
  cp "$old.h5" "old/checkpoints/$(printf 'step-%09d.h5' "$step")"
  run "$1" "${mpirun[@]}" "$3" "$bin/ddpm-dist" train --config "$2" --run old --allow-data-change \
    --set data.path=shapes.h5 --set train.steps=$((step + 1))
}
old_run 0 silent.ini 1
says 'objective.timesteps = uniform, as this run began'
undisturbed=$(hashes old)
run 0 "$bin/ddpm-inspect" config old
same "what it draws now" "$(sed -n 's/^timesteps = //p' out)" uniform
same "what its config.ini says" "$(sed -n 's/^timesteps = //p' old/config.ini)" uniform
run 0 "$bin/ddpm-dist" train --config silent.ini --run old --set data.path=shapes.h5 \
  --set train.steps=$((step + 2))
says 'objective.timesteps = uniform, as this run began'
run 0 "$bin/ddpm-inspect" config old
same "what it draws later" "$(sed -n 's/^timesteps = //p' out)" uniform
old_run 0 silent.ini 2
same "on 2 ranks" "$(hashes old)" "$undisturbed"
old_run 78 stratified.ini 1
says 'objective.timesteps = stratified (stratified.ini:[0-9]*), but this run .*timesteps = uniform'
run 0 "$bin/ddpm-inspect" config "$old.h5"
cp out uniform.ini
old_run 0 uniform.ini 1
silent 'as this run began'
same "where it is said" "$(hashes old)" "$undisturbed"

finish 345
