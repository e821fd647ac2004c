# Two jobs in one run directory.
# shellcheck shell=bash disable=SC2034,SC2154
fault="two jobs in one run directory, started at once"
promise="one trains, the other ends with 75, naming the holder's host and pid"

# Both would train for ever: the one that ends is the one that was turned away.
race() {
  local pids=() i loser=0 winner=1 code wait
  draw wait 0 60
  for i in 0 1; do
    "$bin/ddpm-dist" train --config tiny.ini --run run >"run.out$i" 2>"run.err$i" &
    pids[i]=$!
    children+=($!)
    [ "$i" -eq 1 ] || sleep "$(printf '0.%03d' "$wait")"
  done
  last="a race, the second $wait ms later"
  local until=$((SECONDS + 60))
  while kill -0 "${pids[0]}" 2>/dev/null && kill -0 "${pids[1]}" 2>/dev/null; do
    [ $SECONDS -lt $until ] || { failed "two jobs train in one run directory"; return; }
    sleep 0.02
  done
  kill -0 "${pids[1]}" 2>/dev/null || { loser=1 winner=0; }
  wait "${pids[loser]}"
  code=$?
  cp run.err$loser err
  cp run.out$loser out
  same "exit code of the second" "$code" 75
  says "in use by another job (host $(hostname), pid ${pids[winner]}"
  job=${pids[winner]}
  cp run.err$winner err
  for ((i = 0; i < 500; i++)); do
    grep -q '^step 3/' run.err$winner && break
    sleep 0.02
  done
  kill -USR1 "$job"
  ends 75 20
  cp run.err$winner err
  says 'stopped by SIGUSR1'
  all_verify run
  outcome "one trained, one was turned away"
}

# The lock of a job that was killed is nobody's.
after_a_kill() {
  begin --run run
  await '^step 3/' || return
  kill -KILL "$job"
  ends 137 10
  train 0 --run run --set train.steps=30
  outcome "a dead job's lock was taken over"
}

row() {
  prepare
  trials 2 20 race
  try after_a_kill
}
