# What the rows share: trials, their random numbers, what they came to; and the runs that are hurt.
# Sourced by run.sh, which has set bin, helpers, seed, number (the row), full, only_trial, keep.
# shellcheck shell=bash disable=SC2034,SC2154
# shellcheck source=tests/e2e/lib.sh
. "$root/tests/e2e/lib.sh" "faults-$number"
trap 'clear_away; [ -n "$keep" ] && [ "$failures" -gt 0 ] || rm -rf "$directory"' EXIT
chmod 755 .
: >out && : >err

trial=0 tried=0 generator=0
declare -A outcomes=()
came_to=()  # of the trial at hand
children=() # processes of the trial that must not outlive it

# draw NAME LOW HIGH: a whole number in [LOW, HIGH] of this trial's own sequence
draw() {
  generator=$((generator * 6364136223846793005 + 1442695040888963407))
  printf -v "$1" %d $(($2 + ((generator >> 33) & 0x7fffffff) % ($3 - $2 + 1)))
}
# pick NAME WORD...: one of the words
pick() {
  local name=$1 which
  shift
  draw which 1 $#
  printf -v "$name" %s "${!which}"
}
# outcome WORDS [COUNT]: what this trial came to, if it breaks nothing
outcome() { came_to+=("${2:-1} $1"); }
settle() { # FAILURES BEFORE THE TRIAL
  local text
  [ "$failures" -eq "$1" ] || came_to=("1 broken")
  for text in "${came_to[@]}"; do outcomes[${text#* }]=$((${outcomes[${text#* }]:-0} + ${text%% *})); done
  came_to=()
}

# One trial: FUNCTION ARGUMENT..., in the row's directory, whose run* it may fill.
try() {
  trial=$((trial + 1))
  [ -z "$only_trial" ] || [ "$only_trial" -eq "$trial" ] || return 0
  generator=$((seed * 1000003 + number * 10007 + trial))
  local unused before=$failures
  for _ in 1 2 3 4; do draw unused 0 1; done
  tried=$((tried + 1))
  "$@"
  clear_away
  settle "$before"
  [ -n "$keep" ] && [ "$failures" -gt 0 ] && { echo "kept: $directory"; exit 1; }
  rm -rf run* tr
}
# trials SHORT FULL FUNCTION ARGUMENT...: the function gets the trial's index as its last argument
trials() {
  local count=$1 i
  [ -n "$full" ] && count=$2
  shift 2
  for ((i = 1; i <= count; i++)); do try "$@" "$i"; done
}
# each FUNCTION ARGUMENT... -- WORD...: a trial a word
each() {
  local call=()
  while [ "$1" != -- ]; do call+=("$1"); shift; done
  shift
  while [ $# -gt 0 ]; do
    try "${call[@]}" "$1"
    shift
  done
}
clear_away() {
  local pid
  for pid in "${children[@]}"; do kill -KILL "$pid" 2>/dev/null; done
  children=()
}

failed() {
  failures=$((failures + 1))
  {
    echo "BROKEN: row $number trial $trial: $*"
    echo "    again: tests/faults/run.sh --row $number --seed $seed --trial $trial${full:+ --full}"
    sed 's/^/    out: /' out | tail -n 12
    sed 's/^/    err: /' err | tail -n 12
  } >&2
}
# expect WHAT CONDITION...: a check like any other
expect() {
  local what=$1
  shift
  checks=$((checks + 1))
  "$@" || failed "$what"
}

report() { # TABLE
  local word text=""
  for word in "${!outcomes[@]}"; do text+="${outcomes[$word]} $word"$'\n'; done
  text=$(printf %s "$text" | sort -rn | sed ':a;N;$!ba;s/\n/; /g')
  if [ "$tried" -eq 0 ] && [ -z "$only_trial" ]; then failed "nothing was tried"; fi
  echo "row $number: $fault: $tried trials, $failures broken ($text), $((SECONDS - started)) s"
  printf '| %s | %s | %s | %s | %s | %s |\n' "$number" "$fault" "$promise" "$tried" "$text" "$failures" >>"$1"
  [ "$failures" -eq 0 ]
}

# --- the runs ---

# Nothing may hang: 124 after this many seconds.
bound=120
batch=4 # micro-batches of one image, and so the most ranks
make_config() { # STEPS EVERY
  cat <<INI
[data]
path = shapes.h5
flip = yes
[model]
channels = 8
channel_mult = 1,2
blocks = 1
attention = 4
dropout = 0.1
groups = 4
[train]
batch = $batch
micro_batch = 1
steps = $1
warmup = 2
lr = 1e-3
threads = 1
[ema]
rates = 0.99
[checkpoint]
every = $2
[sample]
every = 0
[log]
every = 1
INI
}
# Data and configuration of a run that is small enough for a save to be most of a step.
prepare() {
  run 0 "$bin/ddpm-data" generate shapes -n 40 --size 8 -o shapes.h5
  make_config "${1:-100000}" "${2:-1}" >tiny.ini
}
# train CODE ARGUMENT..., ranks N CODE ARGUMENT...: to their end
train() {
  local code=$1
  shift
  run "$code" timeout -k 5 $bound "$bin/ddpm-dist" train --config tiny.ini "$@"
}
ranks() {
  local count=$1 code=$2
  shift 2
  run "$code" timeout -k 5 $bound mpirun -n "$count" "$bin/ddpm-dist" train --config tiny.ini "$@"
}
# traced CODE STEP|directory RULE ARGUMENT...: as traced.sh has it, in ./run
traced() {
  local code=$1 place=$2 rule=$3
  shift 3
  run "$code" timeout --foreground -k 5 $bound "$here/traced.sh" run/checkpoints "$place" "$rule" \
    "$bin/ddpm-dist" train --config tiny.ini --run run "$@"
  local i # strace is another process, and may be a little late
  for ((i = 0; i < 50; i++)); do
    grep -q 'INJECTED\|DELAYED\|killed by' tr && return
    sleep 0.02
  done
  failed "'$rule' was not injected"
}
# begin ARGUMENT..., begin_ranks N ARGUMENT...: in the background, as $job; output as of `run`
begin() {
  last="train $*"
  "$bin/ddpm-dist" train --config tiny.ini "$@" >out 2>err &
  job=$!
  children+=("$job")
}
begin_ranks() {
  local count=$1
  shift
  last="$count ranks: train $*"
  mpirun -n "$count" "$bin/ddpm-dist" train --config tiny.ini --verbose "$@" >out 2>err &
  job=$!
  children+=("$job")
}
# await PATTERN [SECONDS]: until the job says so
await() {
  local until=$((SECONDS + ${2:-30}))
  until grep -q -e "$1" err; do
    if [ $SECONDS -ge $until ] || ! kill -0 "$job" 2>/dev/null; then
      grep -q -e "$1" err && return 0
      failed "'$last' did not come to '$1'"
      return 1
    fi
    sleep 0.01
  done
}
# ends CODE|any SECONDS: the job does, within that time; `code` is what it ended with
ends() {
  local expected=$1 until=$((SECONDS + $2 + 1))
  checks=$((checks + 1))
  while kill -0 "$job" 2>/dev/null; do
    if [ $SECONDS -ge $until ]; then
      failed "'$last' has not ended within $2 s"
      kill -KILL "$job"
      wait "$job" 2>/dev/null
      return 1
    fi
    sleep 0.02
  done
  wait "$job" 2>/dev/null
  code=$?
  [ "$expected" = any ] || [ "$code" -eq "$expected" ] ||
    failed "'$last' ended with $code instead of $expected"
}
# Weights, averages, moments of a checkpoint, or of the newest of a run
hashes() {
  run 0 "$bin/ddpm-inspect" --json "$1"
  echo "$(field step) $(field model) $(field ema) $(field optimizer)"
}
# The undisturbed run: ./ref has the checkpoint of every step up to $1.
make_reference() {
  train 0 --run ref --set train.steps="$1" --set checkpoint.every=1 --set checkpoint.keep=1000
}
declare -A reference=() # step -> hashes, once asked for
reference_of() { printf 'ref/checkpoints/step-%09d.h5' "$1"; }
# as_reference RUN: its newest checkpoint is what the undisturbed run had at that step
as_reference() {
  local found step
  found=$(hashes "$1")
  step=${found%% *}
  [ -n "$step" ] || { failed "$1 has no checkpoint"; return; }
  [ -n "${reference[$step]:-}" ] || find_reference "$step"
  same "$1 at step $step and the undisturbed run" "$found" "${reference[$step]}"
}
find_reference() { # STEP: from ./ref, or from another run that goes so far
  local file
  file=$(reference_of "$1")
  if [ ! -e "$file" ]; then
    train 0 --run run.undisturbed --set train.steps="$1" --set checkpoint.every=1000000
    file=run.undisturbed
  fi
  reference[$1]=$(hashes "$file")
}
# Steps of the checkpoints of a run, oldest first
published() { (cd "$1/checkpoints" 2>/dev/null && ls) | sed -n 's/^step-0*\([0-9]*\)\.h5$/\1/p' | sort -n; }
# Every checkpoint of a run under its name verifies; none is as good.
all_verify() {
  [ -n "$(published "$1")" ] || return 0
  run 0 "$bin/ddpm-inspect" verify "$1/checkpoints"
}
# goes_on RUN: two steps further it is what it would have been
goes_on() {
  local newest
  newest=$(published "$1" | tail -n 1)
  train 0 --run "$1" --set train.steps=$((${newest:-0} + 2))
  as_reference "$1"
}
# pid_of RANK: of a job that was begun with --verbose (by begin_ranks); "" where there is no such rank
pid_of() {
  local i
  for ((i = 0; i < 500; i++)); do
    grep -q "^ddpm-dist\[$1\]: pid" err && break
    sleep 0.02
  done
  sed -n "s/^ddpm-dist\[$1\]: pid \([0-9]*\):.*/\1/p" err | head -n 1
}
need_root() {
  [ "$(id -u)" -eq 0 ] && return 0
  failed "$1 takes root"
  return 1
}
