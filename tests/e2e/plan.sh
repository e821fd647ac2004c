#!/usr/bin/env bash
# What a run will take, and what the planner picked, before anything runs: `ddpm-dist plan` and
# `ddpm-dist bench --explain`.
#   plan.sh BIN_DIR
set -uo pipefail
bin=$1
directory=$(mktemp -d "${TMPDIR:-/tmp}/ddpm-plan-XXXXXX")
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
# run CODE SUBCOMMAND ARGUMENT...: its output is in ./out and ./err
run() {
  local expected=$1 subcommand=$2 code
  shift 2
  last="$subcommand $*"
  checks=$((checks + 1))
  "$bin/ddpm-dist" "$subcommand" --config tiny.ini "$@" >out 2>err
  code=$?
  [ "$code" -eq "$expected" ] || failed "'$last' ended with $code instead of $expected"
}
says() { grep -q -e "$1" out err || failed "'$last' does not say '$1'"; }
silent() { ! grep -q -e "$1" out err || failed "'$last' says '$1'"; }
same() {
  checks=$((checks + 1))
  [ -n "$2" ] && [ "$2" = "$3" ] || failed "$1: '$2' and '$3' should be the same"
}
field() { sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" out | head -n 1; }

cat >tiny.ini <<'INI'
[model]
image_size = 16
image_channels = 3
channels = 16
channel_mult = 1,2
blocks = 1
attention = 8
groups = 4
[train]
batch = 16
micro_batch = 2
steps = 86400
[sample]
every = 0
INI

echo "- without a rate it says how to measure one"
run 0 plan
says 'ddpm-dist bench --config tiny.ini --set train.batch=16$'
silent 'give --network'
run 0 plan --ranks 4
says 'ddpm-dist bench --config tiny.ini --set train.batch=4$'
says 'give --network'
silent 'time of a step'
run 0 plan --ranks 4 --network 10G
says '^  communication '
silent '^  compute '

echo "- the time of a step"
run 0 plan --ranks 4 --network 10G --rate 8
says '^  compute *0.5000 s  4 images at 8 images/s'
says '^  no overlap '
says '^  overlap '
silent 'give --'
run 0 plan --rate 8
says '^  no overlap *2.0000 s *0.0% *8.0 *100%  2 d 00 h'
run 0 plan --ranks 4 --ranks-per-node 4 --rate 8
says 'fullest of 1 node: .*, 4 ranks'
says 'a node 0 B'

echo "- as JSON"
run 0 plan --ranks 4 --ranks-per-node 2 --network 0.001G --rate 8 --json
same "nodes" "$(field nodes)" 2
same "bits of the link" "$(field link_bits_per_second)" 1000000.0
same "compute" "$(field compute_seconds)" 0.5
same "transport" "$(field transport)" tcp
# The node adds up first, so that all its ranks send leaves it; 94% of the bits are ours.
wire=$(awk -v b="$(field rank_bytes_sent)" 'BEGIN { printf "%.6f", 2 * b * 8 / 0.94e6 }')
checks=$((checks + 1))
awk -v w="$wire" -v c="$(field communication_seconds)" 'BEGIN { exit !(c >= w && c < w + 0.01) }' ||
  failed "communication should take $wire s"
run 0 plan --ranks 4 --json
same "an unknown time" "$(field step_seconds)" null
run 0 plan --ranks 4 --network 100g --transport rdma --json
same "transport" "$(field transport)" rdma

echo "- bad values"
for network in 10 G 10Gb 10M -1G 0G 1e9G nanG infG ""; do
  run 64 plan --network "$network"
  says "not the speed of a link"
done
for rate in 0 -3 fast inf ""; do
  run 64 plan --rate "$rate"
  says "not a number of images a second"
done
run 64 plan --ranks-per-node 0
run 64 plan --transport pigeon
says 'tcp or rdma'
run 78 plan --ranks 9 --network 10G --rate 8
says 'at most 8 ranks'

echo "- what the planner picked"
run 0 bench --explain
says '^mid_block.resnets.0.conv1 *8x8x32 *8x8x32 */1'
says '^20 convolutions, .*forward .* ms, dx .* ms, dw .* ms'
run 0 bench --explain --json
same "convolutions in the JSON" "$(grep -c '"picks"' out)" 20
same "their directions" "$(grep -c '"estimated_ms"' out)" 60
run 0 bench --explain --mode sample --json
same "directions of drawing" "$(grep -c '"estimated_ms"' out)" 20
same "images a pass" "$(field images)" 8
run 0 bench --explain --mode sample --batch 3 --json
same "images a pass" "$(field images)" 3
run 78 bench --explain --set model.image_size=0

echo "- the batch of drawing"
run 0 bench --mode sample --batch 3 --steps 1 --json
run 64 bench --batch 3
says 'train.batch=N'
run 64 bench --mode sample --batch 0

echo "$checks checks, $failures failures"
[ "$failures" -eq 0 ]
