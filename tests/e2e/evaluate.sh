#!/usr/bin/env bash
# Evaluation in the course of a run, with the real programs: on time, the same numbers on any number
# of ranks and through kills and stops, those of ddpm-eval, and the best checkpoint kept.
#   evaluate.sh BIN_DIR MPIRUN...
bin=$1
shift
mpirun=("$@")
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh" evaluate

train() {
  local code=$1
  shift
  run "$code" "$bin/ddpm-dist" train --config tiny.ini "$@"
}
# ranks N CODE ARGUMENT...
ranks() {
  local count=$1 code=$2
  shift 2
  run "$code" "${mpirun[@]}" "$count" "$bin/ddpm-dist" train --config tiny.ini "$@"
}
# The evaluations of a run, without how long they took and when; and its other lines' steps and losses
evaluations() { sed -n '/"eval_loss"/s/,"eval_seconds".*//p' "$1/metrics.jsonl"; }
losses() {
  sed -n 's/^{"step":\([0-9]*\),.*"loss":\([^,]*\),"loss_q0.*/\1 \2/p' "$1/metrics.jsonl"
}
steps() { sed -n '/"eval_loss"/s/^{"step":\([0-9]*\),.*/\1/p' "$1/metrics.jsonl" | tr '\n' ' '; }
# number RUN STEP KEY: of the evaluation of that step, to 12 digits
number() {
  sed -n "/^{\"step\":$2,\"eval_loss\"/s/.*\"$3\":\\([^,}]*\\).*/\\1/p" "$1/metrics.jsonl" | round
}
round() { awk '{ printf "%.12g\n", $1 }'; }
# least RUN KEY: the step with the least value
least() {
  sed -n "s/^{\"step\":\\([0-9]*\\),.*\"$2\":\\([^,}]*\\).*/\\1 \\2/p" "$1/metrics.jsonl" |
    awk 'NR == 1 || $2 < least { least = $2; step = $1 } END { print step }'
}
# What the newest checkpoint says is best; and which checkpoints there are
best() {
  run 0 "$bin/ddpm-inspect" --json "$1"
  sed -n '/"best": {/,/}/s/^ *"step": \([0-9]*\),$/\1/p' out
}
checkpoints() { (cd "$1/checkpoints" && printf '%s ' step-*) | sed 's/step-0*//g; s/[.]h5//g'; }
# Before a job in the background begins: what another one said is not its own.
no_log() { : >err; }
# Until the log of the job in the background says so
wait_for() {
  for _ in $(seq 1200); do
    grep -q -e "$1" err && return
    sleep 0.05
  done
  failed "no '$1' in a minute"
}

cat >tiny.ini <<'INI'
[data]
path = shapes.h5
[model]
channels = 16
channel_mult = 1,2
blocks = 1
attention = 8
groups = 4
[train]
batch = 10
micro_batch = 2
steps = 24
warmup = 2
lr = 1e-2
clip = 0
threads = 1
[ema]
rates = 0.5,0.9
[checkpoint]
every = 8
keep = 2
[sample]
every = 0
[eval]
every = 3
data = held.h5
images = 19
draws = 6
[log]
every = 2
INI
run 0 "$bin/ddpm-data" generate shapes -n 40 --size 16 -o shapes.h5
run 0 "$bin/ddpm-data" generate shapes -n 30 --size 16 --seed 5 -o held.h5

echo "- evaluations are on time"
train 0 --run one
says '^eval     every 3 steps on 19 images of .*; keeps the best by loss'
says '^eval     step 9  held-out loss 0[.].*q0..q3.*bits/dim'
same "steps" "$(steps one)" "3 6 9 12 15 18 21 24 "
same "every step that is evaluated has a line before" \
  "$(sed 's/^{"step":\([0-9]*\),.*/\1/' one/metrics.jsonl | tr '\n' ' ')" \
  "2 3 3 4 6 6 8 9 9 10 12 12 14 15 15 16 18 18 20 21 21 22 24 24 "
train 0 --run one
says 'nothing is left to do'
same "steps of a run that was done" "$(steps one)" "3 6 9 12 15 18 21 24 "
train 0 --run last --set train.steps=4
same "the last step is evaluated too" "$(steps last)" "3 4 "
train 0 --run without --set eval.every=0
same "evaluations change nothing else" "$(losses without | tail -n 1)" "$(losses one | tail -n 1)"

echo "- the best is kept, and so is what a fallback would need"
same "the best by loss" "$(best one)" "$(least one eval_loss)"
by_loss=$(least one eval_loss)
same "a log line a best" "$(grep -c '"eval_best":true' one/metrics.jsonl)" \
  "$(sed -n 's/.*"eval_loss":\([^,]*\).*/\1/p' one/metrics.jsonl |
    awk 'NR == 1 || $1 < least { least = $1; n++ } END { print n }')"
train 0 --run bpd --set eval.metric=bpd
same "the best by bits/dim" "$(best bpd)" "$(least bpd eval_bpd)"
same "the metric changes no number" "$(number bpd 24 eval_bpd)" "$(number one 24 eval_bpd)"
train 0 --run early --set train.lr=3e-2 # it diverges after a few steps
early=$(least early eval_loss)
checks=$((checks + 1))
[ "$early" -lt 16 ] || failed "the best of a run that diverges is step $early"
same "the best of it" "$(best early)" "$early"
same "checkpoints of it" "$(checkpoints early)" "$early 16 24 "
run 0 "$bin/ddpm-inspect" verify early
says "ok .*step-00000000$early.h5"
run 0 "$bin/ddpm-inspect" early
says "best so far *step $early: 0[.]"
run 0 "$bin/ddpm-sample" early --best -n 1 -o best.png --steps 2
says "step-00000000$early.h5"
run 0 "$bin/ddpm-sample" "early/checkpoints/step-00000000$early.h5" -n 1 -o same.png --steps 2
same "drawn by the best" "$(cksum <best.png)" "$(cksum <same.png)"
says_best=$(sed -n '/"best"/,/}/s/^ *"step": \([0-9]*\),$/\1/p' early/done)
same "the best in 'done'" "$says_best" "$early"
train 0 --run none --set eval.metric=none
same "checkpoints without a best" "$(checkpoints none)" "16 24 "
run 66 "$bin/ddpm-sample" none --best -n 1 -o x.png
says 'knows of no best'

echo "- the best by another measure is another"
train 0 --run changed --set train.steps=8
train 0 --run changed --set train.steps=10 --set eval.images=11
same "images" "$(sed -n 's/.*"eval_images":\([0-9]*\).*/\1/p' changed/metrics.jsonl | tr '\n' ' ')" \
  "19 19 19 11 11 "
same "the first by another measure is the best" "$(grep -c '"step":9,.*"eval_best":true' \
  changed/metrics.jsonl)" 1

echo "- the numbers are those of ddpm-eval"
for step in "$by_loss" 24; do
  run 0 "$bin/ddpm-eval" bpd "one/checkpoints/step-$(printf %09d "$step").h5" held.h5 -n 19 \
    --draws 6 --json
  same "bits/dim of step $step" "$(field value | round)" "$(number one "$step" eval_bpd)"
  for quarter in 0 1 2 3; do
    same "quarter $quarter" "$(grep -A 4 by_quarter out | sed -n "$((quarter + 2))s/[ ,]//gp" |
      round)" "$(number one "$step" "eval_L_q$quarter")"
  done
done
run 0 "$bin/ddpm-eval" bpd one held.h5 --best -n 19 --draws 6 --json
same "ddpm-eval --best" "$(field value | round)" "$(number one "$by_loss" eval_bpd)"
train 0 --run all --set train.steps=3 --set eval.draws=1000 --set diffusion.steps=30 \
  --set eval.images=0
run 0 "$bin/ddpm-eval" bpd all held.h5 --draws all --json
same "images of the whole set" "$(field images)" 30
same "every step of every image" "$(field value | round)" "$(number all 3 eval_bpd)"

echo "- the same bits on any number of ranks and threads"
expected=$(evaluations one)
train 0 --run threads --set train.threads=2
same "2 threads" "$(evaluations threads)" "$expected"
for count in 2 3; do
  ranks $count 0 --run "ranks$count"
  same "$count ranks" "$(evaluations "ranks$count")" "$expected"
  same "the best on $count ranks" "$(best "ranks$count")" "$by_loss"
done
ranks 2 0 --run sharded --set dist.sharded_optimizer=yes --set dist.check_collectives=yes
same "a sharded optimiser" "$(evaluations sharded)" "$expected"

echo "- killed at any moment"
# killed AFTER RUN: a run that is killed when its metrics have so many lines
killed() {
  rm -rf "$2"
  "$bin/ddpm-dist" train --config tiny.ini --run "$2" >out 2>err &
  local pid=$! written
  for _ in $(seq 4000); do
    written=$({ wc -l <"$2/metrics.jsonl"; } 2>/dev/null)
    [ "${written:-0}" -ge "$1" ] && break
    sleep 0.005
  done
  { kill -9 $pid && wait $pid; } 2>/dev/null
}
for lines in 3 5 9 12 17 20 24; do
  killed "$lines" killed
  train 0 --run killed
  same "evaluations after a kill at line $lines" "$(evaluations killed)" "$expected"
  same "losses" "$(losses killed)" "$(losses one)"
  same "the best" "$(best killed)" "$by_loss"
  run 0 "$bin/ddpm-sample" killed --best -n 1 -o x.png --steps 1
done

echo "- stopped while it evaluates"
long=(--set eval.images=0 --set eval.draws=900)
for count in 1 2; do
  rm -rf stopped
  no_log
  "${mpirun[@]}" $count "$bin/ddpm-dist" train --config tiny.ini --run stopped "${long[@]}" \
    >out 2>err &
  pid=$!
  wait_for '^step 3/'
  sleep 0.3
  kill -USR1 $pid
  wait $pid
  same "exit code after SIGUSR1 on $count" $? 75
  says 'evaluation of step 3 is given up'
  says 'stopped by SIGUSR1 after 3 steps'
  same "no line of it" "$(grep -c eval_loss stopped/metrics.jsonl)" 0
  train 0 --run stopped
  same "made up for" "$(evaluations stopped)" "$expected"
  same "the best afterwards" "$(best stopped)" "$by_loss"
done
rm -rf stopped # at the last step: not done before it is evaluated
no_log
"$bin/ddpm-dist" train --config tiny.ini --run stopped --set train.steps=2 "${long[@]}" >out 2>err &
pid=$!
wait_for '^step 2/'
sleep 0.3
kill -USR1 $pid
wait $pid
same "exit code at the last step" $? 75
checks=$((checks + 1))
[ ! -e stopped/done ] || failed "it says that it is done"
train 0 --run stopped --set train.steps=2
same "the last evaluation" "$(steps stopped)" "2 "
says '^done (steps)'

echo "- a job that is about to end"
train 75 --run wall --set train.wall_clock=12 --set train.wall_clock_margin=1 \
  --set eval.images=0 --set diffusion.steps=20000 --set eval.draws=20000
says "stopped by the job's end after 3 steps"
# A batch system that kills: what each rank does by itself, a batch in 50 strata or the chain of a
# batch of images, takes longer than the job has. Only rank 0 knows when it ends.
killing() { # CODE SECONDS RUN ARGUMENT...
  local code=$1 seconds=$2
  shift 2
  rm -rf "$1"
  run "$code" timeout -s KILL "$seconds" "${mpirun[@]}" 2 "$bin/ddpm-dist" train \
    --config tiny.ini --run "$@" --set train.wall_clock_margin=4 "${slow[@]}"
}
run 0 "$bin/ddpm-data" generate shapes -n 30 --size 32 -o large.h5
slow=(--set data.path=large.h5 --set eval.data=large.h5
  --set model.channels=96 --set "model.channel_mult=1,2,2" --set model.blocks=2
  --set train.batch=2 --set train.micro_batch=1 --set ema.rates=0.9 --set log.every=1
  --set eval.images=0 --set eval.draws=1000 --set sample.count=16 --set sample.steps=1000)
killing 75 20 wall2 --set eval.every=1 --set train.wall_clock=18
says "the evaluation of step 1 is given up"
says "stopped by the job's end after 1 steps"
same "checkpoints" "$(checkpoints wall2)" "1 "
export SLURM_JOB_END_TIME=$(($(date +%s) + 18))
killing 75 20 grid2 --set eval.every=0 --set sample.every=1
unset SLURM_JOB_END_TIME
says "stopped by the job's end after 1 steps"
same "checkpoints" "$(checkpoints grid2)" "1 "
same "grids" "$(ls grid2/samples | wc -l)" 0
# One rank is told to stop. The others would go on with their own.
for what in eval.every=1 sample.every=1; do
  rm -rf told
  no_log
  timeout -s KILL 20 "${mpirun[@]}" 2 "$bin/ddpm-dist" train --config tiny.ini --run told \
    --set eval.every=0 --set "$what" "${slow[@]}" >out 2>err &
  pid=$!
  wait_for '^step 1/'
  sleep 0.5
  kill -TERM "$(rank_pid 1)"
  wait $pid
  same "exit code after SIGTERM to rank 1, $what" $? 75
  says 'stopped by a signal on another rank after 1 steps'
  same "checkpoints" "$(checkpoints told)" "1 "
done

echo "- objectives, classes, flows"
flow=(--set diffusion.process=flow --set train.steps=3)
train 0 --run flow "${flow[@]}"
same "a flow has no bits" "$(grep -c eval_bpd flow/metrics.jsonl)" 0
same "and a loss" "$(steps flow)" "3 "
train 78 --run flow-bpd "${flow[@]}" --set eval.metric=bpd
says 'eval.metric = bpd (command line), but diffusion.process = flow (command line)'
train 0 --run learned --set train.steps=3 --set objective.loss=hybrid \
  --set objective.variance=learned_range --set model.classes=6
run 0 "$bin/ddpm-eval" bpd learned held.h5 -n 19 --draws 6 --json
same "bits/dim with a learned variance and classes" "$(field value | round)" \
  "$(number learned 3 eval_bpd)"
train 0 --run no-bound --set train.steps=3 --set eval.draws=0
same "no draws, no bits" "$(grep -c eval_bpd no-bound/metrics.jsonl)" 0
same "the loss without them" "$(number no-bound 3 eval_loss)" "$(number one 3 eval_loss)"

echo "- bad input"
train 78 --run bad --set eval.data=
says 'eval.every = 3 (tiny.ini:[0-9]*) needs eval.data'
train 66 --run bad --set eval.data=missing.h5
says 'missing.h5'
run 0 "$bin/ddpm-data" generate shapes -n 8 --size 8 -o small.h5
train 78 --run bad --set eval.data=small.h5
says 'eval.data = small.h5 has images of 8x8x3 uint8, and data.path = shapes.h5 of 16x16x3 uint8'
run 0 "$bin/ddpm-data" generate gaussian -n 8 --size 16 --channels 3 -o floats.h5
train 78 --run bad --set eval.data=floats.h5
says '16x16x3 float32'
train 78 --run bad --set eval.draws=1
says 'at least 2'
train 78 --run bad --set eval.draws=0 --set eval.metric=bpd
train 0 --run self --set eval.data=shapes.h5 --set train.steps=3
says 'has the very images that are trained on'
run 0 "$bin/ddpm-data" generate shapes -n 8 --size 16 -o few.h5
train 0 --run few --set eval.data=few.h5 --set train.steps=3
same "a set smaller than eval.images" \
  "$(sed -n 's/.*"eval_images":\([0-9]*\).*/\1/p' few/metrics.jsonl)" 8
run 0 "$bin/ddpm-dist" plan --config tiny.ini --json
with=$(field activations)
run 0 "$bin/ddpm-dist" plan --config tiny.ini --json --set eval.every=0
checks=$((checks + 1))
[ "$with" -gt "$(field activations)" ] || failed "the plan knows nothing of evaluations"

finish 145
