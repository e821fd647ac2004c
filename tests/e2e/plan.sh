#!/usr/bin/env bash
# What a run will take, and what the planner picked, before anything runs: `ddpm-dist plan` and
# `ddpm-dist bench --explain`.
#   plan.sh BIN_DIR
bin=$1
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh" plan

# dist CODE SUBCOMMAND ARGUMENT...
dist() { run "$1" "$bin/ddpm-dist" "$2" --config tiny.ini "${@:3}"; }

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
dist 0 plan
says 'ddpm-dist bench --config tiny.ini --set train.batch=16$'
silent 'give --network'
dist 0 plan --ranks 4
says 'ddpm-dist bench --config tiny.ini --set train.batch=4$'
says 'give --network'
silent 'time of a step'
dist 0 plan --ranks 4 --network 10G
says '^  communication '
silent '^  compute '

echo "- the time of a step"
dist 0 plan --ranks 4 --network 10G --rate 8
says '^  compute *0.5000 s  4 images at 8 images/s'
says '^  no overlap '
says '^  overlap '
silent 'give --'
dist 0 plan --rate 8
says '^  no overlap *2.0000 s *0.0% *8.0 *100%  2 d 00 h'
dist 0 plan --ranks 4 --ranks-per-node 4 --rate 8
says 'fullest of 1 node: .*, 4 ranks'
says 'a node 0 B'

echo "- as JSON"
dist 0 plan --ranks 4 --ranks-per-node 2 --network 0.001G --rate 8 --json
same "nodes" "$(field nodes)" 2
same "bits of the link" "$(field link_bits_per_second)" 1000000.0
same "compute" "$(field compute_seconds)" 0.5
same "transport" "$(field transport)" tcp
# The node adds up first, so that all its ranks send leaves it; 94% of the bits are ours.
wire=$(awk -v b="$(field rank_bytes_sent)" 'BEGIN { printf "%.6f", 2 * b * 8 / 0.94e6 }')
checks=$((checks + 1))
awk -v w="$wire" -v c="$(field communication_seconds)" 'BEGIN { exit !(c >= w && c < w + 0.01) }' ||
  failed "communication should take $wire s"
dist 0 plan --ranks 4 --json
same "an unknown time" "$(field step_seconds)" null
dist 0 plan --ranks 4 --network 100g --transport rdma --json
same "transport" "$(field transport)" rdma

echo "- bad values"
for network in 10 G 10Gb 10M -1G 0G 1e9G nanG infG ""; do
  dist 64 plan --network "$network"
  says "not the speed of a link"
done
for rate in 0 -3 fast inf ""; do
  dist 64 plan --rate "$rate"
  says "not a number of images a second"
done
dist 64 plan --ranks-per-node 0
dist 64 plan --transport pigeon
says 'tcp or rdma'
dist 78 plan --ranks 9 --network 10G --rate 8
says 'at most 8 ranks'

echo "- what the planner picked"
dist 0 bench --explain
says '^mid_block.resnets.0.conv1 *8x8x32 *8x8x32 */1'
says '^20 convolutions, .*forward .* ms, dx .* ms, dw .* ms'
dist 0 bench --explain --json
same "convolutions in the JSON" "$(grep -c '"picks"' out)" 20
same "their directions" "$(grep -c '"estimated_ms"' out)" 60
dist 0 bench --explain --mode sample --json
same "directions of drawing" "$(grep -c '"estimated_ms"' out)" 20
same "images a pass" "$(field images)" 8
dist 0 bench --explain --mode sample --batch 3 --json
same "images a pass" "$(field images)" 3
dist 78 bench --explain --set model.image_size=0

echo "- the batch of drawing"
dist 0 bench --mode sample --batch 3 --steps 1 --json
dist 64 bench --batch 3
says 'train.batch=N'
dist 64 bench --mode sample --batch 0

finish 45
