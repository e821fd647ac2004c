# SIGKILL during saves: at random moments, and at each call that a save consists of.
# shellcheck shell=bash disable=SC2034,SC2154
fault="SIGKILL at any instant of a save"
promise="every published file is valid; an acknowledged save is never lost"

# What the program said was saved, newest step
acknowledged() { sed -n 's/^saved  *[^ ]*step-0*\([0-9]*\)\.h5.*/\1/p' err | sort -n | tail -n 1; }

# After the kill: all that is there is whole, what was acknowledged is there, and the run goes on.
check_survivors() {
  local known newest
  known=$(acknowledged)
  newest=$(published run | tail -n 1)
  [ -n "$known" ] && outcome "with acknowledged saves"
  expect "a save of step ${known:-0} was acknowledged, and the newest checkpoint is of ${newest:-none}" \
    [ "${newest:-0}" -ge "${known:-0}" ]
  all_verify run
  goes_on run
  silent 'skipping a checkpoint'
}

kill_at_random() {
  local step wait
  draw step 1 30
  draw wait 0 40
  begin --run run
  await "^step $step/" || return
  sleep "$(printf '0.%03d' "$wait")"
  kill -KILL "$job"
  ends 137 10
  outcome "killed"
  compgen -G 'run/checkpoints/.step-*' >/dev/null && outcome "in the middle of a file"
  check_survivors
}

# A save beside the training, at each call on its file and on the directory.
kill_at_call() { # STEP|directory:CALL:COUNT
  local place=${1%%:*} call=${1#*:}
  train 0 --run run --set train.steps=2
  traced 137 "$place" "${call%:*}:signal=KILL:when=${call#*:}" --set checkpoint.every=10
  last="killed at $1"
  outcome "killed at ${call%:*}"
  expect "the checkpoint from before is gone" [ "$(published run | head -n 1)" -le 2 ]
  expect "the save went on after the call at which it was killed" [ "$(published run | tail -n 1)" -le 10 ]
  check_survivors
}

# SIGKILL leaves the page cache alone, so that a lost fsync would not show. The order must.
in_order() {
  # shellcheck disable=SC2016
  run 0 timeout -k 5 $bound strace -f -y --seccomp-bpf -o tr -e trace=write,fsync,rename \
    "$bin/ddpm-dist" train --config tiny.ini --run run --set train.steps=4
  awk '
    { sub(/^[0-9]+ +/, "") }
    /^write\([0-9]+<[^>]*\.step-.*tmp-/ { bad += stage != "" && stage != "w"; stage = "w" }
    /^fsync\([0-9]+<[^>]*\.step-.*tmp-/ { bad += stage != "w"; stage = "s" }
    /^rename\("[^"]*\.step-.*tmp-/ { bad += stage != "s"; stage = "r" }
    /^fsync\([0-9]+<[^>]*\/checkpoints>/ { bad += stage != "r"; stage = ""; whole++ }
    END { print whole > "run.whole"; exit bad > 0 || stage != "" }' tr
  same "write, fsync, rename, fsync of the directory, in that order, each time" $? 0
  same "saves that were seen" "$(cat run.whole)" "$(grep -c '^saved ' err)"
  expect "nothing was saved" [ "$(cat run.whole)" -ge 2 ]
  outcome "in order"
}

row() {
  prepare
  make_reference 40
  each kill_at_call -- 10:rename:1
  [ -z "$full" ] || each kill_at_call -- 10:write:1 10:write:2 10:fsync:1 directory:fsync:1
  try in_order
  trials 2 200 kill_at_random
  [ -n "$only_trial" ] || expect "no save was acknowledged before a kill: nothing was put to the test" \
    [ "${outcomes[with acknowledged saves]:-0}" -gt 0 ]
}
