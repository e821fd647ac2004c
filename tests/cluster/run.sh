#!/usr/bin/env bash
# launch/slurm/ on a SLURM cluster of 4 virtual nodes, which comes and goes with this script
# (slurm.sh beside it): a tiny U-Net is trained through signals, limits, requeues, killed ranks and
# killed nodes, and must come to the weights of a run that nobody disturbed.
#   run.sh BIN_DIR [SCENARIO...]        without names: all of them, at the same time
# As root; exit 77 without. The cluster's network is this machine's lo.
[ $# -ge 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 64; }
[ "$(id -u)" -eq 0 ] || { echo "run.sh: a SLURM cluster takes root" >&2; exit 77; }
bin=$(realpath "$1")
shift
cluster=$(realpath "$(dirname "$0")")
slurm=$(realpath "$cluster/../../launch/slurm")
# shellcheck source=tests/e2e/lib.sh
. "$cluster/../e2e/lib.sh" cluster
# shellcheck disable=SC2154
trap '"$cluster/slurm.sh" down "$directory/cluster"; rm -rf "$directory"' EXIT
trap 'exit 130' INT TERM

# await SECONDS COMMAND...
await() {
  local end=$((SECONDS + $1))
  until "${@:2}"; do
    [ $SECONDS -lt $end ] || { failed "not within $1 s: ${*:2}: $(scontrol show job "$job" 2>&1)"; return 1; }
    sleep 0.1
  done
}
# submit [SBATCH_OPTION...] SCRIPT ARGUMENT...: as a user does; sets `job`
nodes="n[1-2]"
submit() {
  checks=$((checks + 1))
  job=$(sbatch --parsable --nodes=2 --ntasks-per-node=1 --cpus-per-task=2 --nodelist="$nodes" \
    --time=10 "$@" 2>err) || failed "sbatch $*"
  last="job $job: $*"
}
shows() { scontrol show job "$1" 2>/dev/null | tr ' ' '\n' | sed -n "s/^$2=//p" | head -n 1; }
ended() { case $(shows "$1" JobState) in COMPLETED | FAILED | CANCELLED | TIMEOUT | NODE_FAIL) ;; *) false ;; esac; }
restarted() { [ "$(shows "$1" Restarts)" -gt 0 ]; }
log_of() { cat ./*-"$1".out >out 2>/dev/null; : >err; }
logged() { log_of "$1" && grep -q -e "$2" out; }
# The first checkpoint of ./run is there: a good moment for anything to go wrong.
under_way() { await 120 test -e run/checkpoints/step-000000010.h5; }
# The processes of a job's ranks, on whatever node
ranks() {
  pgrep -x ddpm-dist | sed 's|.*|/proc/&/environ|' |
    xargs -r grep -lzx "SLURM_JOB_ID=$1" 2>/dev/null | sed 's|/proc/\([0-9]*\)/.*|\1|'
}
freeze() { ranks "$1" | xargs -r kill -STOP; }
thaw() { ranks "$1" | xargs -r kill -CONT; }
# SLURM takes a second or more to pass a signal on, in which a quick run may come to its end: its
# ranks stand still until the job's script has it.
ask_to_stop() {
  freeze "$1"
  scancel --signal=USR1 --batch "$1"
  await 60 logged "$1" 'USR1: the program'
  thaw "$1"
}

# trained JOB [RESTARTS]: ./run came to its end and to the reference's bits
trained() {
  await 120 ended "$1"
  same "$last: its weights" "$(hashes run)" "$(cat ../hashes)"
  log_of "$1"
  same "$last: its state" "$(shows "$1" JobState)" COMPLETED
  [ -z "${2:-}" ] || same "$last: restarts" "$(shows "$1" Restarts)" "$2"
}
# refused JOB CODE [RESTARTS]: it ended with the code and was not requeued
refused() {
  await 120 ended "$1"
  log_of "$1"
  same "$last: its state" "$(shows "$1" JobState)" FAILED
  same "$last: exit code" "$(shows "$1" ExitCode)" "$2:0"
  same "$last: restarts" "$(shows "$1" Restarts)" "${3:-0}"
}

undisturbed() {
  submit --ntasks-per-node=2 --cpus-per-task=1 "$slurm/train.sbatch" "$ini" --run run
  trained "$job" 0
  says 'ranks    4 on 2 nodes x 1 thread;'
  submit "$slurm/train.sbatch" "$ini" --run run
  trained "$job" 0
  says 'nothing is left to do'
  # The mark of the shorter run does not make a success of what failed.
  submit "$slurm/train.sbatch" "$ini" --run=run --set train.steps=200 --set train.lr=5
  refused "$job" 78
  # A copy of the script elsewhere finds the others where DDPM_ROOT says.
  cp "$slurm/train.sbatch" mine.sbatch
  DDPM_ROOT=$slurm/../.. submit mine.sbatch "$ini" --run run
  trained "$job" 0
}
usr1() {
  submit "$slurm/train.sbatch" "$ini" --run run
  under_way
  ask_to_stop "$job"
  trained "$job" 1
  says 'ranks    2 on 2 nodes x 2 threads;'
  says 'USR1: the program is to save and end'
  says 'not done (exit code 75)'
  says 'resume .*, after [0-9]* steps'
}
requeued_by_slurm() {
  submit "$slurm/train.sbatch" "$ini" --run run
  under_way
  freeze "$job" # until SLURM ends them
  scontrol requeue "$job"
  trained "$job" 1
  says 'resume .*, after [0-9]* steps'
}
# SLURM looks at limits every half minute. The ranks stand still until then.
time_limit() {
  submit --time=1 --signal=B:USR1@50 "$slurm/train.sbatch" "$ini" --run run
  local first=$job
  under_way
  freeze "$first"
  submit "$slurm/train.sbatch" "$ini" --run run
  refused "$job" 75
  says "run is in use by another job (host n1, pid [0-9]*, job $first"
  says "job $first is at work in run and goes on by itself; not requeued"
  job=$first
  await 90 logged "$first" 'USR1: the program'
  thaw "$first"
  trained "$first"
  says 'not done (exit code 75)'
  checks=$((checks + 1))
  restarted "$first" || failed "it was not requeued"
}
killed_rank() {
  submit "$slurm/train.sbatch" "$ini" --run run
  under_way
  kill -KILL "$(ranks "$job" | tail -n 1)"
  trained "$job" 1
  says 'not done (exit code 137)'
}
# Nodes 3 and 4 are this scenario's alone.
killed_node() {
  nodes="n[3-4]"
  submit "$slurm/train.sbatch" "$ini" --run run
  under_way
  "$cluster/slurm.sh" kill "$directory/cluster" n4
  await 60 logged "$job" 'not done (exit code [0-9]*)'
  "$cluster/slurm.sh" boot "$directory/cluster" n4
  trained "$job" 1
  # The node of the script and of rank 0: SLURM itself notices, and requeues.
  mv run before
  submit "$slurm/train.sbatch" "$ini" --run run
  under_way
  "$cluster/slurm.sh" kill "$directory/cluster" n3
  await 60 restarted "$job"
  "$cluster/slurm.sh" boot "$directory/cluster" n3
  trained "$job" 1
  says 'resume .*, after [0-9]* steps'
}
by_srun() {
  submit "$slurm/train-srun.sbatch" "$ini" --run run
  under_way
  kill -KILL "$(ranks "$job" | tail -n 1)"
  await 20 logged "$job" 'not done (exit code 137)'
  trained "$job" 1
  says 'ranks    2 on 2 nodes x 2 threads;'
}
by_srun_usr1() {
  submit "$slurm/train-srun.sbatch" "$ini" --run run
  under_way
  ask_to_stop "$job"
  trained "$job" 1
  says 'not done (exit code 75)'
}
srun_without_pmi() {
  DDPM_SRUN_MPI=none submit "$slurm/train-srun.sbatch" "$ini" --run run
  refused "$job" 78
  says 'srun started 2 processes (SLURM_STEP_NUM_TASKS), but MPI sees 1'
}
bad_input() {
  submit "$slurm/train.sbatch" "$ini" --run run --set train.btach=3
  refused "$job" 78
  says "did you mean 'train.batch'"
  submit "$slurm/train.sbatch" missing.ini --run run
  refused "$job" 66
  submit "$slurm/train.sbatch" "$ini" --fresh
  refused "$job" 64
  DDPM_BIN=/nowhere submit "$slurm/train.sbatch" "$ini"
  refused "$job" 66
}
crashing() {
  mkdir -p crash
  printf '#!/bin/sh\nkill -SEGV $$\n' >crash/ddpm-dist
  chmod +x crash/ddpm-dist
  DDPM_BIN=$PWD/crash DDPM_MOST_FRUITLESS=2 submit "$slurm/train.sbatch" "$ini" --run run
  refused "$job" 139 1
  says 'no new checkpoint in 2 attempts in a row'
  DDPM_BIN=$PWD/crash DDPM_MOST_RESTARTS=0 submit "$slurm/train.sbatch" "$ini" --run run
  refused "$job" 75
}
hung() {
  DDPM_GRACE=1 submit "$slurm/train.sbatch" "$ini" --run run
  under_way
  freeze "$job"
  scancel --signal=USR1 --batch "$job"
  trained "$job" 1
  says 'the program does not end'
}
cancelled() {
  submit "$slurm/train.sbatch" "$ini" --run run
  under_way
  freeze "$job" # until SLURM ends them
  scancel "$job"
  await 60 ended "$job"
  sleep 2
  same "$last: its state" "$(shows "$job" JobState)" CANCELLED
  same "$last: restarts" "$(shows "$job" Restarts)" 0
}
chain() {
  mapfile -t links < <("$slurm/chain.sh" 3 --nodes=2 --ntasks-per-node=1 --cpus-per-task=2 \
    --nodelist="$nodes" --time=10 "$slurm/train.sbatch" "$ini" --run run)
  job=${links[0]} last="chain ${links[*]}"
  under_way
  ask_to_stop "$job"
  await 60 ended "$job"
  same "$last: code of the first" "$(shows "$job" ExitCode)" 75:0
  job=${links[1]}
  trained "$job" 0
  says 'resume .*, after [0-9]* steps'
  job=${links[2]}
  trained "$job" 0
  says 'run is done'
  silent 'nothing is left to do'
  mapfile -t links < <("$slurm/chain.sh" 3 --nodes=2 --ntasks-per-node=1 --cpus-per-task=2 \
    --nodelist="$nodes" --time=10 "$slurm/train.sbatch" "$ini" --run run --set train.lr=5)
  job=${links[0]} last="chain ${links[*]}"
  refused "$job" 78
  job=${links[2]}
  await 60 ended "$job"
  same "$last: state of the last" "$(shows "$job" JobState)" CANCELLED
}
pixels() { h5dump -d /images -b LE -o "$1.raw" "$1" >/dev/null && cat "$1.raw"; }
array() {
  local options=(--batch 4 --steps 2) file
  nodes=n1
  job=$(sbatch --parsable --array=0-2 --cpus-per-task=2 "$slurm/sample-array.sbatch" ../reference 6 \
    parts "${options[@]}")
  last="array $job"
  run 0 "$bin/ddpm-sample" ../reference -n 18 -o whole.h5 "${options[@]}"
  await 120 test -e parts/images-000000012.h5 -a -e parts/images-000000006.h5 -a -e parts/images-000000000.h5
  same "pixels" "$(for file in parts/images-*.h5; do pixels "$file"; done | cksum)" "$(pixels whole.h5 | cksum)"
  rm parts/images-000000006.h5
  job=$(sbatch --parsable --array=0-2 --cpus-per-task=2 "$slurm/sample-array.sbatch" ../reference 6 \
    parts "${options[@]}")
  await 120 test -e parts/images-000000006.h5
  await 60 grep -q 'is there already' "ddpm-sample-${job}_2.out"
  same "pixels again" "$(pixels parts/images-000000006.h5 | cksum)" \
    "$(pixels whole.h5 | tail -c +$((6 * 3072 + 1)) | head -c $((6 * 3072)) | cksum)"
  mkdir unfinished
  job=$(sbatch --parsable --array=1 "$slurm/sample-array.sbatch" unfinished 6 parts)
  await 60 grep -q 'is no finished run' "ddpm-sample-${job}_1.out"
}

export SLURM_CONF=$directory/cluster/slurm.conf
# As root on one machine; everything else is what launch/slurm/ says.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo OMP_WAIT_POLICY=passive
unset OMPI_MCA_rmaps_base_oversubscribe OMPI_MCA_hwloc_base_binding_policy
export DDPM_BIN=$bin TMPDIR=$directory/tmp
mkdir tmp
"$cluster/slurm.sh" up "$directory/cluster" 4 32 || { echo "run.sh: no cluster" >&2; exit 70; }
# shellcheck source=tests/cluster/tiny.sh
. "$cluster/tiny.sh"

scenarios=(time_limit killed_node undisturbed usr1 requeued_by_slurm killed_rank by_srun by_srun_usr1
  srun_without_pmi bad_input crashing hung cancelled chain array)
least=$((${#scenarios[@]} * 3))
[ $# -eq 0 ] || { scenarios=("$@"); least=1; }
for name in "${scenarios[@]}"; do
  mkdir "$name"
  (
    trap - EXIT
    cd "$name" && failures=0 checks=0 && started=$SECONDS && "$name" >log 2>&1
    echo "$checks $failures $((SECONDS - started))" >result
  ) &
done
wait
for name in "${scenarios[@]}"; do
  read -r count wrong seconds <"$name/result" || { count=0 wrong=1 seconds="?"; }
  echo "- $name: $count checks, $wrong failures, $seconds s"
  checks=$((checks + count)) failures=$((failures + wrong))
  [ "$wrong" -eq 0 ] || sed 's/^/    /' "$name/log"
done
finish "$least"
