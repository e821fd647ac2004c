# Preemption: signals to one rank or to all, during a save, and the job's own end.
# shellcheck shell=bash disable=SC2034,SC2154
fault="USR1, TERM, the end of the job's time; also during a save, and twice"
promise="all ranks agree on the step, save, end with 75; the same command goes on to the same bits"

stopped_well() { # after the job has ended
  local step
  step=$(sed -n 's/^stopped by .* after \([0-9]*\) steps; saved as run.*/\1/p' err)
  expect "it did not say at which step it stopped" [ -n "$step" ]
  same "the step of the stop and of the newest checkpoint" "$step" "$(published run | tail -n 1)"
  expect "a stopped run is marked done" [ ! -e run/done ]
  as_reference run
  goes_on run
}

signalled() {
  local count step wait how every
  draw count 1 4
  draw step 1 25
  draw wait 0 30
  pick every 1 10 1000
  pick how USR1-all USR1-one TERM-one USR1-twice
  if [ "$count" -eq 1 ]; then
    begin --run run --set checkpoint.every="$every"
  else
    begin_ranks "$count" --run run --set checkpoint.every="$every"
  fi
  last="$how, $count ranks, after step $step"
  await "^step $step/" 60 || return
  sleep "$(printf '0.%03d' "$wait")"
  local victim one=$job
  draw victim 0 $((count - 1))
  [ "$count" -eq 1 ] || one=$(pid_of "$victim")
  case $how in
    USR1-all) kill -USR1 "$job" ;; # mpirun passes it on to all
    USR1-one) kill -USR1 "$one" ;;
    TERM-one) kill -TERM "$one" ;;
    USR1-twice) kill -USR1 "$job"; sleep 0.01; kill -USR1 "$one" 2>/dev/null ;;
  esac
  ends 75 30
  outcome "$how: saved, 75"
  stopped_well
}

# The disk is slow, and the signal comes while it is waited for.
during_a_save() {
  local wait
  draw wait 0 250
  last="USR1 $wait ms into a save"
  "$here/traced.sh" run/checkpoints 4 fsync:delay_enter=300000:when=1 "$bin/ddpm-dist" train \
    --config tiny.ini --run run --set checkpoint.every=4 >out 2>err &
  job=$!
  children+=("$job")
  await '^step 4/' || return
  while kill -0 "$job" 2>/dev/null && ! ls run/checkpoints/.step-000000004* >/dev/null 2>&1; do sleep 0.005; done
  sleep "$(printf '0.%03d' "$wait")"
  kill -USR1 "$job"
  ends 75 30
  outcome "during a save: saved, 75"
  stopped_well
}

# The job has three seconds, and wants one of them for itself.
wall_clock() {
  local count
  draw count 1 3
  last="$count ranks with a wall clock"
  ranks "$count" 75 --run run --set train.wall_clock=3 --set train.wall_clock_margin=1 \
    --set checkpoint.every=1000000
  stopped_well
  outcome "wall clock: saved, 75"
}

row() {
  prepare
  make_reference 40
  trials 2 38 signalled
  trials 1 8 during_a_save
  trials 1 4 wall_clock
}
