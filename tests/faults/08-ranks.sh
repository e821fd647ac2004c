# A rank that dies, stands still, or is slow.
# shellcheck shell=bash disable=SC2034,SC2154
fault="a rank killed, stopped, or slow"
promise="the job ends within 10 s of a kill; a stopped rank is named with host, phase and step, and the job ends with 75; a straggler is warned about with its host"

# start NAME ARGUMENT...: 2 to 4 ranks, up to a step drawn; sets count, the victim's rank and pid
start() {
  local step
  draw count 2 4
  draw step 2 20
  draw victim 0 $((count - 1))
  begin_ranks "$count" --run run "${@:2}"
  last="rank $victim of $count is $1 after step $step"
  await "^step $step/" 60 || return
  pid=$(pid_of "$victim")
  expect "rank $victim did not tell its pid" [ -n "$pid" ]
  [ -n "$pid" ]
}
killed() {
  local victim pid count
  start killed || return
  kill -KILL "$pid"
  ends any 10
  outcome "killed: the job ended in time"
  all_verify run
  goes_on run
}
stopped() {
  local victim pid others rank count
  start stopped --set dist.timeout=3 --set checkpoint.every=20 || return
  for ((rank = 0; rank < count; rank++)); do others+=" $(pid_of $rank)"; done
  sleep 2.5 # a rank tells once a second where it is
  kill -STOP "$pid"
  ends 75 20
  says "error: rank $victim (host $(hostname), pid $pid).*'[a-z ]*' of step [0-9]"
  outcome "stopped: named, ended with 75"
  # What the launcher could not end is ours.
  for pid in $others; do kill -KILL "$pid" 2>/dev/null; done
  all_verify run
  goes_on run
}
# A rank that mostly rests. The network is larger here, for a micro-batch to take longer than what it
# runs at once.
slow() {
  local victim pid count until=$((SECONDS + 90))
  start slow --set checkpoint.every=1000000 --set model.channels=96 || return
  while [ $SECONDS -lt $until ] && kill -0 "$job" 2>/dev/null; do
    kill -STOP "$pid" && sleep 0.08 && kill -CONT "$pid" && sleep 0.005
    grep -q "warning: rank $victim (host" err && break
  done
  kill -CONT "$pid"
  says "warning: rank $victim (host $(hostname), pid $pid) takes .* times as long"
  kill -USR1 "$job"
  ends 75 30
  outcome "slow: warned about"
}

row() {
  prepare
  make_reference 30
  trials 1 50 killed
  trials 1 50 stopped
  trials 1 50 slow
}
