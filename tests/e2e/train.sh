#!/usr/bin/env bash
# Training with the real programs: the same bits on any number of ranks and threads, through stops
# and restarts, and a clean error for every kind of bad input.
#   train.sh BIN_DIR MPIRUN...
bin=$1
shift
mpirun=("$@")
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh" train

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
there() {
  checks=$((checks + 1))
  [ -e "$1" ] || failed "$1 is not there after '$last'"
}
# The text of "key": "text" in ./out
# Weights, averages and moments of a run's newest checkpoint
hashes() {
  run 0 "$bin/ddpm-inspect" --json "$1"
  echo "$(field step) $(field model) $(field ema) $(field optimizer)"
}
# step and loss of every line of a run's metrics
losses() {
  sed -n 's/^{"step":\([0-9]*\),.*"loss":\([^,]*\),"loss_q0.*/\1 \2/p' "$1/metrics.jsonl"
}

cat >tiny.ini <<'INI'
[data]
path = shapes.h5
flip = yes
[model]
channels = 16
channel_mult = 1,2
blocks = 1
attention = 8
dropout = 0.1
groups = 4
[train]
batch = 10
micro_batch = 2
steps = 12
warmup = 2
lr = 1e-3
threads = 1
[ema]
rates = 0.99,0.9
[checkpoint]
every = 4
[sample]
every = 6
count = 5
steps = 3
[log]
every = 2
INI
run 0 "$bin/ddpm-data" generate shapes -n 40 --size 16 -o shapes.h5

echo "- a run directory"
train 0 --run one
says '^done (steps): 12 steps'
says 'ddpm-sample one/checkpoints/step-000000012.h5'
for file in config.ini metrics.jsonl "done" checkpoints/step-000000012.h5 samples/step-000000006.png \
  samples/step-000000012.png; do
  there "one/$file"
done
same "lines of metrics" "$(losses one | cut -d' ' -f1 | tr '\n' ' ')" "2 4 6 8 10 12 "
same "a PNG's first bytes" "$(head -c 4 one/samples/step-000000012.png | tail -c 3)" PNG
run 0 "$bin/ddpm-dist" config --config one/config.ini
cp out resolved.ini
run 0 "$bin/ddpm-dist" config --config tiny.ini --set model.image_size=16 \
  --set model.image_width=16 --set model.image_channels=3
same "config.ini and the configuration" "$(cat out)" "$(cat resolved.ini)"
train 0 --run one
says 'nothing is left to do'

echo "- the same bits on any number of ranks and threads"
expected=$(hashes one)
train 0 --run threads --set train.threads=2
same "2 threads" "$(hashes threads)" "$expected"
for count in 2 3 4; do
  ranks $count 0 --run "ranks$count"
  same "$count ranks" "$(hashes "ranks$count")" "$expected"
  same "losses on $count ranks" "$(losses "ranks$count")" "$(losses one)"
done
same "a grid on 1 and 3 ranks" "$(cksum <one/samples/step-000000012.png)" \
  "$(cksum <ranks3/samples/step-000000012.png)"

echo "- resuming on other numbers of ranks"
train 0 --run parts --set train.steps=3
ranks 3 0 --run parts --set train.steps=8
says 'after 3 steps'
train 0 --run parts --resume
same "three parts" "$(hashes parts)" "$expected"
train 0 --run sharded --set train.steps=3
ranks 3 0 --run sharded --set train.steps=6 --set dist.sharded_optimizer=yes
same "a grid of a sharded average" "$(cksum <sharded/samples/step-000000006.png)" \
  "$(cksum <one/samples/step-000000006.png)"
ranks 2 0 --run sharded --set train.steps=8 --set dist.sharded_optimizer=yes --set dist.overlap=no
ranks 2 0 --run sharded
same "sharded and replicated in turn" "$(hashes sharded)" "$expected"
same "their losses" "$(losses sharded | tail -n 2)" "$(losses one | tail -n 2)"
ranks 2 0 --run mpi --set dist.allreduce=mpi
same "losses of the last part" "$(losses parts | tail -n 2)" "$(losses one | tail -n 2)"

echo "- a damaged checkpoint"
cp -r one damaged
rm damaged/done
printf x | dd of=damaged/checkpoints/step-000000012.h5 bs=1 seek=5000 conv=notrunc status=none
train 0 --run damaged
says 'skipping a checkpoint'
says 'after 8 steps'
same "after the fall back" "$(hashes damaged)" "$expected"
same "its metrics" "$(losses damaged)" "$(losses one)"

echo "- stopped by a signal"
"${mpirun[@]}" 2 "$bin/ddpm-dist" train --config tiny.ini --run signal --set train.steps=100000 \
  --set sample.every=0 >out 2>err &
pid=$!
for _ in $(seq 600); do
  grep -q '^step 4/' err && break
  sleep 0.05
done
train 75 --run signal
says 'in use by another job (host .*, pid'
kill -USR1 $pid
wait $pid
same "exit code after SIGUSR1" $? 75
stopped=$(hashes signal)
total=$((${stopped%% *} + 2))
train 0 --run signal --set train.steps=$total --set sample.every=0
train 0 --run undisturbed --set train.steps=$total --set sample.every=0
same "after a stop" "$(hashes signal)" "$(hashes undisturbed)"

echo "- alone, it shares no directory with others that are alone"
run 0 env TMPDIR=/proc/none "$bin/ddpm-dist" bench --config tiny.ini --steps 1

echo "- precision"
wide=(--set model.channels=32 --set sample.every=0)
train 0 --run fp32 "${wide[@]}"
train 0 --run bf16 "${wide[@]}" --set train.precision=bf16
says 'bf16'
wide_bf16=$(hashes bf16)
checks=$((checks + 1))
[ "$wide_bf16" != "$(hashes fp32)" ] || failed "bf16 changes nothing"
ranks 2 0 --run bf16-ranks "${wide[@]}" --set train.precision=bf16
same "2 ranks in bf16" "$(hashes bf16-ranks)" "$wide_bf16"
train 0 --run bf16-threads "${wide[@]}" --set train.precision=bf16 --set train.threads=2
same "2 threads in bf16" "$(hashes bf16-threads)" "$wide_bf16"
train 78 --run bf16 "${wide[@]}" --set train.steps=14
says 'train.precision'
run 0 "$bin/ddpm-dist" bench --config tiny.ini --set train.precision=bf16 --steps 1 --json
same "precision of the benchmark" "$(field precision)" bf16
run 0 env DDPM_ISA=generic "$bin/ddpm-dist" train --config tiny.ini --run emulated \
  --set train.precision=bf16 --set train.steps=1 --set sample.every=0
says 'emulated on generic'
if grep -q avx512_bf16 /proc/cpuinfo; then
  for isa in avx512 avx512bf16; do
    run 0 env DDPM_ISA=$isa "$bin/ddpm-dist" train --config tiny.ini --run "$isa" "${wide[@]}"
    same "float32 on $isa" "$(hashes $isa)" "$(hashes fp32)"
  done
fi

echo "- limits, and starting over"
train 0 --run limit --set train.steps=100000 --set train.time_limit=0.5s --set sample.every=0
says '^done (time limit)'
train 0 --run one --fresh
says 'the run that was in one is now one.old-'
there one.old-*/checkpoints/step-000000012.h5
same "a fresh run" "$(hashes one)" "$expected"

echo "- numbers that are none"
train 65 --run nan --set train.lr=1e6 --set train.clip=0 --set train.warmup=0 --set sample.every=0
says '3 steps in a row'

echo "- bad input"
run 64 "$bin/ddpm-dist" trian
says "did you mean 'train'"
run 64 "$bin/ddpm-dist"
run 64 "$bin/ddpm-dist" train
run 64 "$bin/ddpm-dist" train --no-such-option
train 64 --run one --fresh --resume
train 66 --run nothing --resume
train 73 --run /proc/nowhere/run
train 66 --set data.path=missing.h5
train 78 --set train.btach=3
says "did you mean 'train.batch'"
train 78 --set train.batch=11
train 78 --run one --set train.lr=5
says 'train.lr = 5 (command line), but this run was started with train.lr = 0.001'
train 78 --set model.image_size=32
run 0 "$bin/ddpm-data" generate shapes -n 41 --size 16 -o other.h5
train 78 --run one --set data.path=other.h5
says 'allow-data-change'
train 0 --run one --set data.path=other.h5 --set train.steps=13 --allow-data-change
printf 'rubbish' >rubbish.h5
train 65 --run rubbish --set data.path=rubbish.h5
ranks 6 78 --run many
says 'at most 5 ranks'
run 78 "${mpirun[@]}" 1 "$bin/ddpm-dist" train --config tiny.ini --run differ : "${mpirun[@]:1}" 1 \
  "$bin/ddpm-dist" train --config tiny.ini --run differ --set train.seed=5
says "seed = 5.* here, .*seed = 0.* on rank 0"

echo "- plan and bench"
run 0 "$bin/ddpm-dist" plan --config tiny.ini --json
parameters=$(field parameters)
same "micro-batches of the plan" "$(field micro_batches)" 5
run 0 "$bin/ddpm-inspect" --json one
same "parameters of plan and checkpoint" "$(field parameters)" "$parameters"
run 78 "$bin/ddpm-dist" plan --config tiny.ini --ranks 6
run 0 "$bin/ddpm-dist" plan --config tiny.ini --layers
for mode in train sample; do
  run 0 "$bin/ddpm-dist" bench --config tiny.ini --mode $mode --steps 2 --json
  same "mode of the benchmark" "$(field mode)" $mode
  for key in images_per_second best_images_per_second step_seconds peak_rss_bytes isa ranks \
    threads phases; do
    says "\"$key\""
  done
done
run 0 "${mpirun[@]}" 2 "$bin/ddpm-dist" bench --config tiny.ini --steps 2
says '^train  2 ranks'
run 64 "$bin/ddpm-dist" bench --config tiny.ini --mode fly
run 0 "$bin/ddpm-dist" config --explain
says 'train.batch\|micro_batch'
run 0 "$bin/ddpm-dist" --version
run 0 "$bin/ddpm-dist" --help

finish 95
