#!/usr/bin/env bash
# Submits N jobs that go on from each other, for clusters that do not let a job requeue itself:
#   launch/slurm/chain.sh N [SBATCH_OPTION...] launch/slurm/train.sbatch CONFIG [ARG...]
# Each begins when the one before has ended, in whatever way, and goes on from its checkpoint; those
# that find the run done end at once. A failure that does not mend itself cancels the rest.
# Prints the job numbers; all have one name, so that `scancel --name NAME` ends the chain.
set -euo pipefail
usage() { sed -n '2,6s/^# \{0,1\}//p' "$0"; }
case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '' | *[!0-9]* | 0) usage >&2; exit 64 ;;
esac
[ $# -ge 3 ] || { usage >&2; exit 64; }
count=$1
shift
# What a job of the chain must know: that it is in one, which, and what `done` is older than it.
export DDPM_CHAIN DDPM_CHAIN_BEGAN
DDPM_CHAIN_BEGAN=$(date +%s)
DDPM_CHAIN=ddpm-chain-$DDPM_CHAIN_BEGAN-$$
previous=""
for _ in $(seq "$count"); do
  options=(--parsable --no-requeue --job-name="$DDPM_CHAIN")
  [ -z "$previous" ] || options+=(--dependency="afterany:$previous")
  previous=$(sbatch "${options[@]}" "$@")
  previous=${previous%%;*} # on several clusters: NUMBER;CLUSTER
  echo "$previous"
done
