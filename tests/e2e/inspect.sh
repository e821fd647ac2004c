#!/usr/bin/env bash
# ddpm-inspect on the checkpoints of a real run, whole and damaged.
#   inspect.sh BIN_DIR MPIRUN...
bin=$1
shift
mpirun=("$@")
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh" inspect

inspect() {
  local code=$1
  shift
  run "$code" "$bin/ddpm-inspect" "$@"
}
says() { grep -q -e "$1" out || failed "'$last' does not say '$1'"; }
warns() { grep -q -e "$1" err || failed "'$last' does not warn '$1'"; }
flip_byte() { # FILE OFFSET
  local byte
  byte=$(od -An -tu1 -j "$2" -N 1 "$1")
  printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

cat >tiny.ini <<'INI'
[data]
path = shapes.h5
[model]
channels = 8
channel_mult = 1,2
blocks = 1
attention = 4
groups = 4
[train]
batch = 8
micro_batch = 4
steps = 6
warmup = 2
lr = 1e-3
threads = 1
[ema]
rates = 0.99,0.9
[checkpoint]
every = 2
[sample]
every = 0
[log]
every = 2
INI
run 0 "$bin/ddpm-data" generate shapes -n 32 --size 8 -o shapes.h5
run 0 "$bin/ddpm-dist" train --config tiny.ini --run one
run 0 "${mpirun[@]}" 2 "$bin/ddpm-dist" train --config tiny.ini --run two
newest=one/checkpoints/step-000000006.h5
middle=one/checkpoints/step-000000004.h5

echo "- one screen"
for argument in one one/ one/checkpoints "$newest"; do
  inspect 0 "$argument"
  says 'step-000000006.h5'
  says 'step  *6 of 6'
  says 'images seen  *48, 1.50 epochs'
  says 'EMA  *0.99,0.9'
  says 'integrity  *intact'
done
inspect 0 summary "$middle"
says 'step  *4 of 6'

echo "- JSON"
run 0 "$bin/ddpm-dist" plan --config tiny.ini --json
planned=$(field parameters)
inspect 0 --json one
says '"valid": true'
says '"step": 6'
says '"schedule": "linear"'
says '"0.99": "[0-9a-f]\{32\}"'
same "parameters of plan and inspect" "$(field parameters)" "$planned"
model=$(field model) ema=$(field ema) optimizer=$(field optimizer)
inspect 0 --json two
same "hash of the model on 1 and 2 ranks" "$(field model)" "$model"
same "hash of the averages on 1 and 2 ranks" "$(field ema)" "$ema"
same "hash of the optimizer on 1 and 2 ranks" "$(field optimizer)" "$optimizer"
says '"ranks": 2'

echo "- tree and stats"
inspect 0 tree one
says '^    resnets.0 '
says '^parameters  *'"$(printf "%'d" "$planned" 2>/dev/null | tr -d "'" | sed ':a;s/^\([0-9]\+\)\([0-9]\{3\}\)/\1,\2/;ta')"
inspect 0 tree --json one
tensors=$(grep -c '"layout"' out)
for part in model ema m v; do
  inspect 0 stats --part "$part" one
  same "rows of stats of $part" "$(wc -l <out)" $((tensors + 2))
done
says '^tensor of optimizer/v'
inspect 0 stats --rate 0.9 one
says '^tensor of ema/0.9 '
inspect 0 stats --part ema --json one
says '"part": "ema/0.99"'
says '"nan": 0'
inspect 64 stats --part weights one
warns 'it has model, ema/0.99, ema/0.9, optimizer/m, optimizer/v'
inspect 64 stats --rate 0.5 one
inspect 64 stats --part m --rate 0.9 one

echo "- diff"
inspect 0 diff "$newest" one
says '^equal'
inspect 0 diff one two
inspect 1 diff "$middle" "$newest"
says 'configuration  *the same'
says "model  *$tensors of $tensors"
says '^different'
inspect 1 --json diff "$middle" "$newest"
says '"equal": false'
run 0 "$bin/ddpm-dist" train --config tiny.ini --set train.lr=2e-3 --run other
inspect 1 diff one other
says 'train.lr  *0.001  *0.002'
inspect 1 diff --part model one other
run 0 "$bin/ddpm-dist" train --config tiny.ini --set model.channels=4 --run small
inspect 1 diff one small
says 'conv_in.weight: another shape'

echo "- config"
inspect 0 config one
cp out again.ini
run 0 "$bin/ddpm-dist" train --config again.ini --run again
inspect 0 diff one again
inspect 0 config --json one
says '"micro_batch": 4'

echo "- the tools of HDF5"
run 0 h5ls -r "$newest"
says '/model/down_blocks/0/resnets/0/conv1/weight'
says '/ema/0.99/conv_out/bias'
run 0 h5dump -d /config "$newest"
says 'micro_batch = 4'

echo "- verify"
inspect 0 verify one two/checkpoints "$middle"
same "files verified" "$(grep -c '^ok ' out)" 7
cp -r one damaged
flip_byte damaged/checkpoints/step-000000006.h5 20000
inspect 65 verify damaged
same "files that are bad" "$(grep -c '^BAD ' out)" 1
says '^BAD .*step-000000006.h5 is damaged'
inspect 65 verify --json damaged
says '"valid": false'
says '"error": .*step-000000006.h5 is damaged'
inspect 65 damaged/checkpoints/step-000000006.h5
warns 'damaged'
inspect 65 --json damaged/checkpoints/step-000000006.h5
same "what is said of a damaged file" "$(tr -d ' \n' <out | cut -c1-24)" '{"valid":false,"error":"'
inspect 0 damaged
says 'step  *4 of 6'
warns 'skipping a checkpoint: .*step-000000006.h5'
truncate -s 10000 damaged/checkpoints/step-000000004.h5
inspect 0 --json damaged
says '"step": 2'
flip_byte damaged/checkpoints/step-000000002.h5 100
for command in summary tree stats config; do
  inspect 65 "$command" damaged
  warns 'none of its 3 checkpoints can be used'
done
inspect 65 diff one damaged
inspect 65 verify damaged damaged/checkpoints/step-000000009.h5

echo "- bad input"
inspect 66 nowhere.h5
inspect 66 --json nowhere.h5
says '"valid": false'
inspect 66 verify nowhere.h5
mkdir empty
inspect 66 empty
warns 'no checkpoint'
inspect 66 verify empty
inspect 65 shapes.h5
inspect 65 tiny.ini
: >nothing.h5
inspect 65 nothing.h5
inspect 64
inspect 64 tree
inspect 64 diff one
inspect 64 one two
inspect 64 --colour one
inspect 0 --help
says 'verify CKPT'
inspect 0 --version
run 74 sh -c "'$bin/ddpm-inspect' one >/dev/full"
run 74 sh -c "'$bin/ddpm-inspect' --json one >/dev/full"

finish 75
