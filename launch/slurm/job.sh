# shellcheck shell=bash disable=SC2034,SC2154
# What the training scripts of this folder share; they source it, with `root` set to the folder above
# launch/. A job runs its program, passes USR1 on to it, and is requeued until the run is done:
#   job_begin CONFIG ARG...   sets config, run, threads, program and the array `arguments`
#   job_run COMMAND...        runs it to its end; what it came to is in `code`
#   job_end                   ends the script: done, given up, or requeued
# Environment: DDPM_BIN, where the programs are; DDPM_MOST_RESTARTS (100); DDPM_MOST_FRUITLESS (3),
# restarts in a row without a new checkpoint; DDPM_GRACE (240), seconds from USR1 to a requeue by force.
# shellcheck source=launch/mpi-keepalive.sh
. "$root/launch/mpi-keepalive.sh"

say() { echo "$(date -u +%FT%TZ) job $SLURM_JOB_ID: $*"; }
give_up() { # CODE WORDS...
  say "${*:2}; not requeued"
  # The rest of a chain would fail likewise.
  [ -z "${DDPM_CHAIN:-}" ] || scancel --quiet --state=PENDING --user="$(id -un)" --name="$DDPM_CHAIN"
  exit "$1"
}

job_begin() {
  config=${1:?CONFIG is missing}
  shift
  run=runs/$(basename "$config" .ini)
  arguments=()
  while [ $# -gt 0 ]; do
    case "$1" in
      -r | --run) run=${2:?--run needs a directory}; shift ;;
      -r*) run=${1#-r} ;;
      --run=*) run=${1#--run=} ;;
      --fresh) give_up 64 "--fresh would begin anew at every restart: move $run away, or name another --run" ;;
      *) arguments+=("$1") ;;
    esac
    shift
  done
  threads=${SLURM_CPUS_PER_TASK:-1}
  # SLURM before 23.02 does not say when the job ends; the program stops by itself before that.
  if [ -z "${SLURM_JOB_END_TIME:-}" ]; then
    SLURM_JOB_END_TIME=$(date -d "$(squeue --noheader --jobs "$SLURM_JOB_ID" --format=%e)" +%s 2>/dev/null) &&
      export SLURM_JOB_END_TIME
  fi
  # shellcheck source=launch/find-programs.sh
  . "$root/launch/find-programs.sh" || give_up 66 "no ddpm-dist: build it, or set DDPM_BIN"
  program=$bin/ddpm-dist
  if [ -n "${DDPM_CHAIN:-}" ] && [ "$(stat -c %Y "$run/done" 2>/dev/null || echo 0)" -gt "$DDPM_CHAIN_BEGAN" ]; then
    say "$run is done"
    exit 0
  fi
  done_before=$(fingerprint)
  newest_before=$(newest)
  say "attempt $((${SLURM_RESTART_COUNT:-0} + 1)) at $run on $SLURM_JOB_NODELIST"
}

# A `done` counts when it was written by this attempt: one that an earlier, shorter run left must not
# hide that its continuation failed. The program writes it anew even where nothing is left to do.
fingerprint() { stat -c '%i %z %s' "$run/done" 2>/dev/null || true; }
finished() { [ -e "$run/done" ] && [ "$(fingerprint)" != "$done_before" ]; }
newest() { find "$run/checkpoints" -name 'step-*.h5' 2>/dev/null | sort | tail -n 1; }

# SLURM signals this shell alone (--signal=B:USR1@300). A program that has not saved and ended when
# the time is nearly up hangs; SLURM does not requeue what reaches its limit, so it is done here. (A
# chain goes on anyway.)
pid="" stopping="" timer=""
stop() {
  [ -n "$stopping" ] || say "USR1: the program is to save and end"
  stopping=1
  [ -n "$pid" ] || return 0
  kill -USR1 "$pid" 2>/dev/null
  [ -z "$timer${DDPM_CHAIN:-}" ] || return 0
  { sleep "${DDPM_GRACE:-240}" && say "the program does not end" && requeue; } &
  timer=$!
}
trap stop USR1

# wait ends early by a signal, with a code that says nothing about the program.
job_run() {
  local last
  "$@" &
  pid=$!
  [ -z "$stopping" ] || stop
  wait "$pid"
  code=$?
  while kill -0 "$pid" 2>/dev/null; do
    wait "$pid"
    code=$?
  done
  wait "$pid" 2>/dev/null
  last=$?
  [ $last -eq 127 ] || code=$last
  [ -z "$timer" ] || kill "$timer" 2>/dev/null
  trap '' USR1
}

# The job's comment carries the count of fruitless attempts from one to the next; where a site does
# not let it be written, DDPM_MOST_RESTARTS remains.
count_fruitless() {
  local count=0
  if [ "$(newest)" = "$newest_before" ]; then
    count=$(squeue --noheader --jobs "$SLURM_JOB_ID" --format=%k | sed -n 's/^fruitless \([0-9]*\)$/\1/p')
    count=$((${count:-0} + 1))
  fi
  scontrol update JobId="$SLURM_JOB_ID" Comment="fruitless $count" >/dev/null 2>&1 || true
  fruitless=$count
}

# A job of another number that holds the run directory and is at work there. The lock of a job that
# is gone, or of this job's last attempt on a node that SLURM has lost, is no reason to give up.
holder() {
  local id
  id=$(sed -n 's/.*job \([0-9][0-9]*\).*/\1/p' "$run/lock" 2>/dev/null | head -n 1)
  [ -n "$id" ] && [ "$id" != "$SLURM_JOB_ID" ] &&
    [ -n "$(squeue --noheader --jobs "$id" --states=RUNNING,SUSPENDED 2>/dev/null)" ] && echo "$id"
}

requeue() {
  scontrol requeue "$SLURM_JOB_ID" ||
    { say "SLURM does not requeue: submit the same command again, or use launch/slurm/chain.sh"; return 1; }
}

# Only `done` says that a run is done: mpirun ends with 0 when it loses a node.
job_end() {
  local other
  if finished; then
    say "$run is done"
    exit 0
  fi
  case "$code" in
    64 | 65 | 66 | 73 | 77 | 78 | 126 | 127) give_up "$code" "exit code $code does not mend itself" ;;
    75) other=$(holder) && give_up 75 "job $other is at work in $run and goes on by itself" ;;
  esac
  count_fruitless
  say "not done (exit code $code); newest checkpoint: $(basename "$(newest)" .h5)"
  if [ "$fruitless" -ge "${DDPM_MOST_FRUITLESS:-3}" ]; then
    give_up $((code ? code : 75)) "exit code $code, and no new checkpoint in $fruitless attempts in a row (DDPM_MOST_FRUITLESS)"
  fi
  if [ -n "${DDPM_CHAIN:-}" ]; then
    say "the next job of the chain goes on"
    exit 75
  fi
  if [ "${SLURM_RESTART_COUNT:-0}" -ge "${DDPM_MOST_RESTARTS:-100}" ]; then
    give_up 75 "not done after ${SLURM_RESTART_COUNT:-0} restarts (DDPM_MOST_RESTARTS)"
  fi
  say "requeued"
  requeue
  exit 75
}
