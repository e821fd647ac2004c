# The run of the cluster tests: a tiny U-Net on generated images, some seconds of work. Sourced after
# tests/e2e/lib.sh, with `bin` set, in the folder that the test works in: makes tiny.ini (`ini`), and
# `reference`, the run that nobody disturbs.
# shellcheck shell=bash disable=SC2154
ini=$directory/tiny.ini
cat >"$ini" <<INI
[data]
path = $directory/shapes.h5
[model]
channels = 16
channel_mult = 1,2
blocks = 1
attention = 8
groups = 4
[train]
batch = 10
micro_batch = 2
steps = 100
warmup = 2
threads = 1
[ema]
rates = 0.99
[checkpoint]
every = 10
[sample]
every = 0
[log]
every = 50
INI
# A run's steps, and the hashes of its weights, averages and moments
hashes() {
  "$bin/ddpm-inspect" --json "$1" >out 2>err
  echo "$(field step) $(field model) $(field ema) $(field optimizer)"
}
run 0 "$bin/ddpm-data" generate shapes -n 40 --size 16 -o shapes.h5
run 0 env OMPI_MCA_ess_singleton_isolated=1 "$bin/ddpm-dist" train --config "$ini" --run reference
hashes reference >hashes
same "the reference's steps" "$(cut -d' ' -f1 hashes)" 100
