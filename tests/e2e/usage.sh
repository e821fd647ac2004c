#!/usr/bin/env bash
# usage.sh BIN_DIR MPIRUN NUMPROC_FLAG: of ranks with one command line, one says what is wrong with it;
# a rank that is wrong alone is heard; results and codes are every process' own.
bin=${1:?usage: usage.sh BIN_DIR MPIRUN NUMPROC_FLAG}
mpirun=("${2:?}" "${3:?}")
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh" usage

# counts N PATTERN: so many lines of the last run
counts() {
  checks=$((checks + 1))
  [ "$(cat out err | grep -c -e "$2")" -eq "$1" ] || failed "'$last' does not say '$2' $1 times"
}
# once CODE PATTERN PROGRAM ARGUMENT...: on three ranks
once() {
  local code=$1 pattern=$2 program=$3
  shift 3
  run "$code" "${mpirun[@]}" 3 "$bin/$program" "$@"
  counts 1 "$pattern"
}

echo "- three ranks with the same command line"
once 64 "unrecognized option '--forze'" ddpm-sample run --forze
once 64 "a checkpoint and a data set are needed" ddpm-eval bpd
once 64 "did you mean 'train'" ddpm-dist trian
once 64 "unexpected argument 'extra'" ddpm-dist train extra
once 64 "no configuration" ddpm-dist train
once 64 "no configuration" ddpm-dist plan
once 78 "expected section.key=value" ddpm-dist config --set x
once 64 "Usage: ddpm-data" ddpm-data
once 0 "Usage: ddpm-dist SUB" ddpm-dist --help
once 0 "Usage: ddpm-dist train" ddpm-dist train --help
once 0 "^ddpm-sample [0-9]" ddpm-sample --version
run 0 "${mpirun[@]}" 3 "$bin/ddpm-dist" config
counts 3 '^\[train\]$'

echo "- a rank that is wrong alone"
run 64 "${mpirun[@]}" 1 "$bin/ddpm-dist" doctor : "${mpirun[1]}" 1 "$bin/ddpm-dist" doctor --bad
says "unrecognized option '--bad'"

echo "- a rank that is told to end, and one of srun, which lets it live"
# Whether the program runs by now (this shell's child has a handler before it, too), and waits for it
waits() {
  local caught
  [ "$(cat "/proc/$1/comm")" = ddpm-dist ] || return
  caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status")
  [ $((0x${caught:-0} & 0x4000)) -ne 0 ]
}
ended() {
  OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=1 "$bin/ddpm-dist" trian &
  local child=$!
  while [ -e "/proc/$child/exe" ] && ! waits "$child"; do sleep 0.02; done
  kill "$child"
  wait "$child"
}
srun=(env SLURM_STEP_NUM_TASKS=2 SLURM_NTASKS=2)
run 64 ended
silent trian
run 64 "${srun[@]}" SLURM_PROCID=1 "$bin/ddpm-dist" trian
silent trian
run 64 "${srun[@]}" SLURM_PROCID=0 "$bin/ddpm-dist" trian
says "did you mean 'train'"

echo "- what cannot be printed"
run 74 sh -c "'$bin/ddpm-dist' config >/dev/full"
says 'cannot write to standard output'
run 74 sh -c "'$bin/ddpm-data' --help >/dev/full"

finish 30
