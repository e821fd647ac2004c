# What the end-to-end scripts share; sourced with the name of the test. Afterwards the shell is in an
# empty directory that goes with it, and `finish` says how it went.
# shellcheck shell=bash disable=SC2034
set -uo pipefail
directory=$(mktemp -d "${TMPDIR:-/tmp}/ddpm-$1-XXXXXX")
trap 'rm -rf "$directory"' EXIT
cd "$directory" || exit 1
failures=0
checks=0

failed() {
  failures=$((failures + 1))
  echo "FAILED: $*"
  sed 's/^/    out: /' out | tail -n 20
  sed 's/^/    err: /' err | tail -n 20
}
# run CODE PROGRAM ARGUMENT...: its output is in ./out and ./err
run() {
  local expected=$1 code
  shift
  last="$*"
  checks=$((checks + 1))
  "$@" >out 2>err
  code=$?
  [ "$code" -eq "$expected" ] || failed "'$last' ended with $code instead of $expected"
}
# says PATTERN, silent PATTERN: the last run did, or did not
says() { grep -q -e "$1" out err || failed "'$last' does not say '$1'"; }
silent() { ! grep -q -e "$1" out err || failed "'$last' says '$1'"; }
# same WHAT VALUE VALUE: not empty, and equal
same() {
  checks=$((checks + 1))
  [ -n "$2" ] && [ "$2" = "$3" ] || failed "$1: '$2' and '$3' should be the same"
}
# The text of "key": "text" in ./out
field() { sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" out | head -n 1; }
# rank_pid RANK: the process of a rank of the job that runs in this directory
rank_pid() {
  local process
  for process in /proc/[0-9]*; do
    [ "$(readlink "$process/cwd")" = "$PWD" ] || continue
    grep -qz "^OMPI_COMM_WORLD_RANK=$1$" "$process/environ" && echo "${process#/proc/}"
  done 2>rank_pid.txt | head -n 1
}
# finish LEAST: whether all went well, and as much was checked as the script holds
finish() {
  echo "$checks checks, $failures failures"
  [ "$failures" -eq 0 ] && [ "$checks" -ge "$1" ]
}
