#!/usr/bin/env bash
# The campaign of faults: the real programs, hurt by real means, held against what docs/reliability.md
# promises. Prints a row of a table for each fault, and ends with 1 where a promise was broken.
#   tests/faults/run.sh [--full] [--row N] [--trial T] [--seed S] [--write FILE] [--keep]
#                       [--jobs J] [--bin DIR] [--helpers DIR]
# Without --full one to four trials of each row, some two minutes. --full takes the stated numbers,
# an hour on two cores with --jobs 3; with --write its table goes between the markers of FILE (with --row, one
# row of it). Everything random comes from --seed, a trial's from (seed, row, trial): a failure prints
# what repeats it alone.
# --jobs rows go on at the same time (1), the longest first: most of their time is waiting.
# --keep leaves the directory of a trial that failed. --bin and --helpers name the programs and the
# tests' own, by default those of build/release. Mounts and cgroups take root.
# shellcheck disable=SC2034 # some are for the rows alone
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd) root=$(cd "$(dirname "$0")/../.." && pwd)
usage() { sed -n '2,12s/^# \{0,1\}//p' "$here/run.sh"; }

full="" only_row="" only_trial="" seed=1 jobs=1 write="" keep=""
bin=$root/build/release/bin helpers=$root/build/release/tests/bin
given=("$@")
while [ $# -gt 0 ]; do
  case "$1" in
    --full) full=1; shift; continue ;;
    --keep) keep=1; shift; continue ;;
    -h | --help) usage; exit 0 ;;
    --row | --trial | --seed | --jobs | --write | --bin | --helpers) ;;
    *) usage >&2; exit 64 ;;
  esac
  [ $# -ge 2 ] || { echo "run.sh: $1 needs a value" >&2; exit 64; }
  case "$1" in
    --row) only_row=$2 ;;
    --trial) only_trial=$2 ;;
    --seed) seed=$2 ;;
    --jobs) jobs=$2 ;;
    --write) write=$(realpath "$2") || exit 66 ;;
    --bin) bin=$(realpath "$2") || exit 66 ;;
    --helpers) helpers=$(realpath "$2") || exit 66 ;;
  esac
  shift 2
done
for number in "$seed" "$jobs" "${only_row:-0}" "${only_trial:-0}"; do
  [[ $number =~ ^[0-9]+$ ]] || { echo "run.sh: '$number' is no number" >&2; exit 64; }
done
[ "$jobs" -gt 0 ] || { echo "run.sh: --jobs must be at least 1" >&2; exit 64; }
if [ -n "$write" ]; then
  [ -n "$full" ] && [ -z "$only_trial" ] || { echo "run.sh: --write is for --full" >&2; exit 64; }
  grep -q '<!-- faults:begin -->' "$write" || { echo "run.sh: $write has no markers" >&2; exit 65; }
fi
for program in "$bin/ddpm-dist" "$helpers/faults_damage"; do
  [ -x "$program" ] || { echo "run.sh: no $program: build first, or say --bin and --helpers" >&2; exit 66; }
done

# Mounts of our own, gone when we are: nothing is left behind, whatever happens.
if [ -z "${DDPM_FAULTS_INSIDE:-}" ] && [ "$(id -u)" -eq 0 ]; then
  DDPM_FAULTS_INSIDE=1 exec unshare --mount --propagation private "$here/run.sh" "${given[@]}"
fi
# shellcheck source=launch/mpi-env.sh
. "$root/launch/mpi-env.sh"
export OMP_NUM_THREADS=1 # one line of work a rank: sixteen of them share two cores

# One file a row: it says fault and promise, and `row` tries it. Each runs in a shell of its own.
run_row() { # FILE TABLE
  number=$(basename "$1")
  number=$((10#${number%%-*}))
  # shellcheck source=tests/faults/lib.sh
  . "$here/lib.sh"
  # shellcheck source=/dev/null
  . "$1"
  started=$SECONDS
  # Bash reports every child that a signal ends, and here that is the idea.
  exec 2> >(sed -u '/: line [0-9]*: *[0-9]* Killed  /d' >&2)
  row
  report "$2"
}

table=$(mktemp) broken=0 rows=0 begun=()
trap 'rm -f "$table"' EXIT
for file in "$here"/{08,06,01,10,07}-*.sh "$here"/[0-9][0-9]-*.sh; do
  number=$(basename "$file")
  number=$((10#${number%%-*}))
  [ -z "${begun[$number]:-}" ] || continue
  [ -z "$only_row" ] || [ "$number" -eq "$only_row" ] || continue
  begun[number]=1
  rows=$((rows + 1))
  if [ "$rows" -gt "$jobs" ]; then wait -n || broken=$((broken + 1)); fi
  run_row "$file" "$table" &
done
for ((i = 0; i < (rows < jobs ? rows : jobs); i++)); do wait -n || broken=$((broken + 1)); done
[ "$rows" -gt 0 ] || { echo "run.sh: there is no row $only_row" >&2; exit 64; }
if [ -z "$only_row" ]; then # what other tests try, in its place
  sort -t '|' -k 2n "$table" "$here/elsewhere.txt" >"$table.all" && mv "$table.all" "$table"
fi
heading='| # | fault | promise | trials | came to | broken |
|---|---|---|---|---|---|'
printf '\n%s\n' "$heading"
cat "$table"
[ "$jobs" -gt 0 ] || { echo "run.sh: --jobs must be at least 1" >&2; exit 64; }
revision=$(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)
if [ -n "$write" ] && [ -n "$only_row" ]; then
  awk -v row="$only_row" -v line="$(cat "$table")" -v again="Row $only_row again: $(date -u +%F), revision $revision." '
    index($0, "| " row " |") == 1 { print line; found = 1; next }
    /^`tests\/faults\/run.sh/ { print; print again; next }
    { print }
    END { exit !found }' "$write" >"$write.new" && mv "$write.new" "$write"
elif [ -n "$write" ]; then
  {
    sed '/<!-- faults:begin -->/q' "$write"
    printf '`tests/faults/run.sh --full --seed %s`, %s, %s cores, %d minutes, revision %s:\n\n%s\n' "$seed" \
      "$(date -u +%Y-%m-%d)" "$(getconf _NPROCESSORS_ONLN)" $(((SECONDS + 59) / 60)) \
      "$revision" "$heading"
    cat "$table"
    sed -n '/<!-- faults:end -->/,$p' "$write"
  } >"$write.new" && mv "$write.new" "$write"
fi
echo "$rows rows, $broken with broken promises, $SECONDS s"
[ "$broken" -eq 0 ]
