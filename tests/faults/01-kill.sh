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

# The save of step 3, of which the checkpoint's own calls are these. strace -D leaves the program
# the process that the shell was, so that the name of the temporary file is known.
kill_at_call() { # CALL:COUNT
  local call=${1%:*} count=${1#*:}
  last="killed at ${call} ${count}"
  # shellcheck disable=SC2016
  run 137 timeout --foreground -k 5 $bound sh -c '
    temporary=run/checkpoints/.step-000000003.h5.tmp-$$-0
    case $3 in directory) paths="-P $PWD/run/checkpoints" ;; *) paths="-P $temporary -P $PWD/$temporary" ;; esac
    exec strace -D -f -y -o tr $paths -e trace=write,fsync,rename -e inject="$1:signal=KILL:when=$2" \
      "$4" train --config tiny.ini --run run' sh "${call%-*}" "$count" "${call#*-}" "$bin/ddpm-dist"
  grep -q 'killed by SIGKILL' tr || sleep 0.3 # strace is another process, and may be a little late
  outcome "killed at $call"
  expect "nothing was killed before the save of step 3" [ "$(published run | tail -n 1)" -ge 2 ]
  expect "the save of step 3 went on after the call at which it was killed" \
    [ "$(published run | tail -n 1)" -le 3 ]
  check_survivors
}

# SIGKILL leaves the page cache alone, so that a lost fsync would not show. The order must.
in_order() {
  # shellcheck disable=SC2016
  run 0 timeout -k 5 $bound strace -f -y --seccomp-bpf -o tr -e trace=write,fsync,rename \
    "$bin/ddpm-dist" train --config tiny.ini --run run --set train.steps=4
  awk '
    { sub(/^[0-9]+ +/, "") }
    /^write\([0-9]+<[^>]*\.step-.*tmp-/ { if (stage != "" && stage != "w") exit 1; stage = "w" }
    /^fsync\([0-9]+<[^>]*\.step-.*tmp-/ { if (stage != "w") exit 1; stage = "s" }
    /^rename\("[^"]*\.step-.*tmp-/ { if (stage != "s") exit 1; stage = "r" }
    /^fsync\([0-9]+<[^>]*\/checkpoints>/ { if (stage != "r") exit 1; stage = ""; whole++ }
    END { exit !(whole == 4 && stage == "") }' tr
  same "write, fsync, rename, fsync of the directory, in that order, four times" $? 0
  outcome "in order"
}

row() {
  prepare
  make_reference 60
  each kill_at_call -- write-file:2 rename-file:1
  [ -z "$full" ] || each kill_at_call -- write-file:1 fsync-file:1 fsync-directory:3
  try in_order
  trials 4 200 kill_at_random
  [ -n "$only_trial" ] || expect "no save was acknowledged before a kill: nothing was put to the test" \
    [ "${outcomes[with acknowledged saves]:-0}" -gt 0 ]
}
