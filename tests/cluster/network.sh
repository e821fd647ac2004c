#!/usr/bin/env bash
# mpirun across 4 network namespaces (netns.sh beside this script): a killed rank and a lost link end
# the job in time, with a code that is not 0 and every checkpoint whole, and it goes on from there to
# the bits of a run that nobody disturbed.
#   network.sh BIN_DIR
# As root; exit 77 without.
[ $# -eq 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 64; }
[ "$(id -u)" -eq 0 ] || { echo "network.sh: network namespaces take root" >&2; exit 77; }
bin=$(realpath "$1")
cluster=$(realpath "$(dirname "$0")")
# shellcheck source=tests/e2e/lib.sh
. "$cluster/../e2e/lib.sh" network
# Names and a network of its own: other nodes may be up.
number=$((RANDOM % 200))
export NETNS_NAME=dn$number NETNS_NET=10.80.$number
# shellcheck disable=SC2154
trap 'for node in 1 2 3 4; do ip netns pids "$NETNS_NAME-$node"; done 2>/dev/null | xargs -r kill -KILL
  "$cluster/netns.sh" down; rm -rf "$directory"' EXIT
trap 'exit 130' INT TERM
"$cluster/netns.sh" up 4 || { echo "network.sh: no nodes" >&2; exit 70; }
export TMPDIR=$directory/tmp OMP_WAIT_POLICY=passive
mkdir tmp
# shellcheck source=tests/cluster/tiny.sh
. "$cluster/tiny.sh"

train=("$cluster/netns.sh" run 4 1 "$bin/ddpm-dist" train --config "$ini")
ranks_of() { # NODE
  local pid
  for pid in $(ip netns pids "$NETNS_NAME-$1"); do
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = ddpm-dist ] && echo "$pid"
  done
}
nobody_on() { [ -z "$(ranks_of "$1")" ]; }
# await SECONDS COMMAND...: counts as a check
await() {
  local end=$((SECONDS + $1))
  checks=$((checks + 1))
  until "${@:2}"; do
    [ $SECONDS -lt $end ] || { failed "not within $1 s: ${*:2}"; return 1; }
    sleep 0.1
  done
}
over() { ! kill -0 "$pid" 2>/dev/null; }
start() { # RUN: in the background, until its first checkpoint
  "${train[@]}" --run "$1" >out 2>err &
  pid=$! last="job in $1"
  await 120 test -e "$1/checkpoints/step-000000010.h5"
  same "ranks on node 4" "$(ranks_of 4 | wc -l)" 1
}
# ends_within SECONDS RUN: fails, leaves nobody behind, and goes on to the reference's bits
ends_within() {
  local began=$SECONDS node file
  await "$1" over || kill -KILL "$pid"
  wait "$pid"
  local code=$?
  echo "  ended after $((SECONDS - began)) s with $code"
  checks=$((checks + 1))
  [ $code -ne 0 ] || failed "$last ended with 0"
  for node in 1 2 3 4; do await "$1" nobody_on $node; done
  for file in "$2"/checkpoints/*.h5; do run 0 "$bin/ddpm-inspect" verify "$file"; done
  checks=$((checks + 1))
  [ ! -e "$2/done" ] || failed "$last was at its end before the fault"
}
goes_on() { # RUN
  run 0 "${train[@]}" --run "$1" --resume
  says 'resume .*, after [0-9]* steps'
  same "$1: its weights" "$(hashes "$1")" "$(cat hashes)"
}

echo "- a killed rank"
start killed
kill -KILL "$(ranks_of 3)"
ends_within 10 killed
goes_on killed

echo "- a lost link"
start lost
ip -n "$NETNS_NAME-4" link set eth0 down
ends_within 30 lost
ip -n "$NETNS_NAME-4" link set eth0 up
goes_on lost

finish 27
