#!/usr/bin/env bash
# Training with ranks that are stopped, or whose data does not come: the job ends in time with 75, says
# who was late, and the same command goes on to the result of an undisturbed run.
#   watchdog.sh BIN_DIR MPIRUN...
bin=$1
shift
mpirun=("$@")
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh" watchdog
timeout=2
export MPIEXEC_TIMEOUT=60 # so that a failure of this test is no hang
most=22 # seconds: the promise is the timeout (or 20 median steps, which are short here) and 20

say() { echo "$* (${SECONDS} s)"; }
# begin RANKS ARGUMENT...: in the background; $job, and $pid[rank]
begin() {
  local count=$1
  shift
  last="$count ranks $*"
  : >err # the last job's steps are not this one's
  "${mpirun[@]}" "$count" "$bin/ddpm-dist" train --config tiny.ini "$@" >out 2>err &
  job=$!
}
# until STEP: the job's last line of the log is at least that far, and each rank has since told the
# others where it is
until_step() {
  local step
  for _ in $(seq 400); do
    step=$(sed -n 's/^step \([0-9,]*\)\/.*/\1/p' err | tail -n 1 | tr -d ,)
    [ "${step:-0}" -ge "$1" ] && break
    sleep 0.05
  done
  sleep $timeout
  mapfile -t pid < <(pgrep -P $job ddpm-dist | sort -n)
}
# ends CODE: the job does so within the promised time of now
ends() {
  local begun=$SECONDS code
  wait $job
  code=$?
  same "exit code of $last" "$code" "$1"
  [ $((SECONDS - begun)) -le $most ] || failed "$last took $((SECONDS - begun)) s to end"
}
hashes() {
  run 0 "$bin/ddpm-inspect" --json "$1"
  echo "$(field step) $(field model) $(field ema) $(field optimizer)"
}

cat >tiny.ini <<INI
[data]
path = shapes.h5
[model]
channels = 16
channel_mult = 1,2
blocks = 1
attention = 8
groups = 4
[train]
batch = 8
micro_batch = 2
steps = 100000
warmup = 2
lr = 1e-3
threads = 1
[ema]
rates = 0.99
[checkpoint]
every = 10
[sample]
every = 0
[log]
every = 5
[dist]
timeout = $timeout
INI
run 0 "$bin/ddpm-data" generate shapes -n 40 --size 16 -o shapes.h5
host=$(hostname)

say "- a rank in the middle, stopped"
begin 3 --run one
until_step 20
kill -STOP "${pid[1]}"
ends 75
says "ddpm-dist\[0\]: error: rank 1 (host $host, pid ${pid[1]}) has not been heard of for [0-9]* s.*in '[a-z]*' of step [0-9]*"
says 'the same command goes on from the last checkpoint'

say "- rank 0, stopped"
begin 3 --run one
until_step 25
says '^resume '
kill -STOP "${pid[0]}"
ends 75
says "ddpm-dist\[1\]: error: rank 0 (host $host, pid ${pid[0]}) has not been heard of.* of step [0-9]*"

say "- what was saved is whole, and leads where an undisturbed run leads"
run 0 "$bin/ddpm-inspect" verify one
stopped=$(hashes one)
total=$((${stopped%% *} + 2))
run 0 "$bin/ddpm-dist" train --config tiny.ini --run one --set train.steps=$total
run 0 "${mpirun[@]}" 2 "$bin/ddpm-dist" train --config tiny.ini --run undisturbed \
  --set train.steps=$total --set dist.check_collectives=yes --set dist.timeout=0
same "after two hangs" "$(hashes one)" "$(hashes undisturbed)"

say "- mpirun and a rank, stopped: each process ends by itself"
begin 2 --run two
until_step 10
kill -STOP $job "${pid[1]}"
for _ in $(seq $((10 * most))); do
  # a zombie is one that mpirun has not yet asked for
  [ "$(ps -o stat= -p "${pid[0]}" | cut -c1)" = Z ] && break
  sleep 0.1
done
same "state of rank 0" "$(ps -o stat= -p "${pid[0]}" | cut -c1)" Z
kill -CONT $job
ends 75
says "ddpm-dist\[0\]: error: rank 1 " # came through mpirun

say "- all ranks stopped for longer than the timeout, and continued: nobody is late"
begin 2 --run two
until_step 15
kill -STOP "${pid[@]}"
sleep $((2 * timeout))
kill -CONT "${pid[@]}"
sleep $timeout
silent 'error'
kill -USR1 $job
ends 75
says 'stopped by SIGUSR1'

if command -v strace >strace-is && strace -qq true 2>>strace-is; then
  say "- data that does not come"
  # The thread that reads ahead hangs at its 25th read of the data set; opening it takes fewer.
  run 0 "$bin/ddpm-data" generate shapes -n 4000 --size 16 -o big.h5
  slow=(strace -f -qq -o trace -P big.h5 -e 'inject=pread64:delay_enter=60000000:when=25+')
  for count in 1 2; do
    last="$count ranks with slow data"
    # The slow one is the last rank; of one, there is no other.
    others=()
    [ $count -eq 1 ] || others=("${mpirun[@]}" 1 "$bin/ddpm-dist" train --config tiny.ini
      --set data.path=big.h5 --run "slow$count" :)
    if [ $count -eq 1 ]; then command=("${mpirun[@]}"); else command=("${others[@]}" "${mpirun[@]:1}"); fi
    "${command[@]}" 1 "${slow[@]}" "$bin/ddpm-dist" train --config tiny.ini --set data.path=big.h5 \
      --run "slow$count" >out 2>err &
    job=$!
    ends 75
    says "error: rank $((count - 1)) (host $host, pid [0-9]*) is at 'data' of step [0-9]* without progress"
  done
fi

finish 13
