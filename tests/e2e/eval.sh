#!/usr/bin/env bash
# ddpm-eval on the checkpoints and samples of real runs.
#   eval.sh BIN_DIR MPIRUN...
bin=$1
shift
mpirun=("$@")
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh" eval

judge() {
  local code=$1
  shift
  run "$code" "$bin/ddpm-eval" "$@"
}
there() { # FILE...
  local file
  for file in "$@"; do
    checks=$((checks + 1))
    [ -s "$file" ] || failed "'$last' did not write $file"
  done
}
other() { # WHAT VALUE VALUE: not empty, and not equal
  checks=$((checks + 1))
  [ -n "$2" ] && [ "$2" != "$3" ] || failed "$1: '$2' and '$3' should differ"
}
tsv() { cat "$1"/bpd-*.tsv; }
# All numbers of an evaluation in a directory, to 15 digits; and what its units came to, to the last
# bit, where none was done twice
numbers() { sed '/"created"/d' "$1"/bpd-*.json; }
units() { grep -h '"unit"' "$1"/bpd-*.parts.jsonl | sort; }
same_bits() { # WHAT DIRECTORY DIRECTORY
  same "$1" "$(units "$2")" "$(units "$3")"
  same "$1 in all" "$(numbers "$2")" "$(numbers "$3")"
}

cat >tiny.ini <<'INI'
[data]
path = shapes.h5
[model]
channels = 8
channel_mult = 1,2
blocks = 1
attention = 8
groups = 4
[train]
batch = 8
micro_batch = 4
steps = 20
warmup = 2
lr = 1e-3
threads = 1
[ema]
rates = 0.9
[checkpoint]
every = 10
[sample]
every = 0
INI
run 0 "$bin/ddpm-data" generate shapes -n 60 --size 16 -o shapes.h5
run 0 "$bin/ddpm-data" generate shapes -n 40 --size 16 --seed 9 -o held.h5
run 0 "$bin/ddpm-data" generate shapes -n 20 --size 8 -o small.h5
run 0 "$bin/ddpm-data" generate gaussian -n 20 --size 16 --channels 3 -o unlabelled.h5
train() { run 0 "$bin/ddpm-dist" train --config tiny.ini "${@:2}" --run "$1"; }
train one
train flow --set diffusion.process=flow
train classes --set model.classes=6
train own --set objective.variance=learned --set objective.loss=hybrid --set train.steps=2
train learned --set objective.variance=learned_range --set objective.loss=hybrid
newest=one/checkpoints/step-000000020.h5
run 0 "$bin/ddpm-sample" one -n 40 --steps 5 --seed 1 -o one/samples.h5
run 0 "$bin/ddpm-sample" one -n 40 --steps 8 --seed 1 -o one/more.h5

echo "- bits a dimension"
judge 0 bpd one held.h5 -n 20 --draws 60
says 'evaluations of the network, 1 rank: about'
says '^bits/dim .* +- '
says '^L_0 '
there one/eval/bpd-*.json one/eval/bpd-*.tsv one/eval/bpd-*.svg one/eval/bpd-*.png
same "rows of the curve" "$(tsv one/eval | wc -l)" 61
judge 0 bpd "$newest" held.h5 -n 20 --draws 60 --json -o json
says '"content_hash": "sha256:'
says '"digest": "[0-9a-f]\{64\}"'
says '"images": 20'
run 0 "${mpirun[@]}" 3 "$bin/ddpm-eval" bpd one held.h5 -n 20 --draws 60 -o three
same_bits "the curve on 1 and 3 ranks" three one/eval
same "units of 3 batches in 2 segments" "$(units three | wc -l)" 6
judge 0 bpd one held.h5 -n 20 --draws 60 -o threads --threads 2
same_bits "the curve on 1 and 2 threads" threads one/eval

echo "- going on"
judge 0 bpd one held.h5 -n 20 --draws 60
says 'done already'
rm -rf killed
"$bin/ddpm-eval" bpd one held.h5 -n 20 --draws 60 -o killed >killed.out 2>&1 &
pid=$!
for _ in $(seq 2000); do
  [ "$(cat killed/*.parts.jsonl 2>/dev/null | wc -l)" -ge 3 ] && break
  sleep 0.005
done
kill -9 "$pid"
wait "$pid" 2>/dev/null
parts=$(cat killed/*.parts.jsonl | wc -l)
checks=$((checks + 1))
[ "$parts" -ge 3 ] || failed "nothing was kept of a killed evaluation"
# As a kill in the middle of a line leaves it.
printf '{"unit":1,"val' >>"$(ls killed/*.parts.jsonl)"
judge 0 bpd one held.h5 -n 20 --draws 60 -o killed
says 'done already'
same_bits "the curve of a killed evaluation" killed one/eval
# A number that is no longer what it was, a unit that is missing: done again, on two ranks.
sed -i -e '3s/"values":\[[0-9]*/&1/' -e '4d' killed/*.parts.jsonl
run 0 "${mpirun[@]}" 2 "$bin/ddpm-eval" bpd one held.h5 -n 20 --draws 60 -o killed
says '1 lines are damaged'
says 'done already'
same "the curve of damaged parts" "$(numbers killed)" "$(numbers one/eval)"
run 78 "${mpirun[@]}" 1 "$bin/ddpm-eval" bpd one held.h5 -n 20 : -np 1 "$bin/ddpm-eval" bpd one shapes.h5 -n 20
says 'not the same on all ranks'
# One with fewer images first, whose last batch is cut.
judge 0 bpd one held.h5 -n 10 --draws 60 -o grown
judge 0 bpd one held.h5 -n 20 --draws 60 -o grown
says 'done already'
same "the curve of an evaluation that grew" "$(numbers grown)" "$(numbers one/eval)"
# Another checkpoint, seed or set has a file of its own.
judge 0 bpd one/checkpoints/step-000000010.h5 held.h5 -n 20 --draws 60 -o killed
silent 'done already'
judge 0 bpd one held.h5 -n 20 --draws 60 --seed 1 -o killed
silent 'done already'
judge 0 bpd one shapes.h5 -n 20 --draws 60 -o killed
silent 'done already'
same "files of four evaluations" "$(ls killed/*.parts.jsonl | wc -l)" 4
# And one that claims to be ours is not taken.
ours=$(basename one/eval/bpd-*.parts.jsonl)
mkdir foreign
for other in killed/*.parts.jsonl; do
  [ "$(basename "$other")" = "$ours" ] || cp "$other" "foreign/$ours"
done
judge 78 bpd one held.h5 -n 20 --draws 60 -o foreign
says 'another evaluation'

echo "- stopped"
whole=(bpd one held.h5 --draws all)
judge 0 "${whole[@]}" -o whole -q
kept() { cat stopped/*.parts.jsonl 2>kept.txt | wc -l; }
# stop SIGNAL RANK: on three ranks, once another unit is kept
stop() {
  local before job
  before=$(kept)
  "${mpirun[@]}" 3 "$bin/ddpm-eval" "${whole[@]}" -o stopped >out 2>err &
  job=$!
  for _ in $(seq 4000); do
    [ "$(kept)" -gt $((before + 2)) ] && break
    sleep 0.005
  done
  kill "-$1" "$(rank_pid "$2")"
  wait $job
  same "exit code after $1 to rank $2" $? 75
  says 'stopped; the same command goes on'
  same "messages of it" "$(grep -c 'the same command' err)" 1
  checks=$((checks + 1))
  [ "$(kept)" -gt $((before + 2)) ] || failed "nothing was kept of an evaluation that was stopped"
}
stop USR1 2
stop TERM 0
says 'done already'
checks=$((checks + 1))
[ "$(units stopped | wc -l)" -lt 100 ] || failed "it was not stopped, but done"
judge 0 "${whole[@]}" -o stopped
says 'done already'
silent 'damaged'
same_bits "the curve of a stopped evaluation" stopped whole

echo "- another kind of node"
if grep -q avx2 /proc/cpuinfo; then
  run 0 env DDPM_ISA=generic "$bin/ddpm-eval" bpd one held.h5 -n 20 --draws 60 -o three
  says "parts.jsonl is by '.*avx.*' and not used: this is '.*generic"
  silent 'done already'
  same "files of parts" "$(ls three/bpd-*.parts.jsonl | wc -l)" 2
  same "files of results" "$(ls three/bpd-*.json | wc -l)" 1
  run 0 env DDPM_ISA=generic "$bin/ddpm-eval" bpd one held.h5 -n 20 --draws 60 -o three
  says 'all of it is done already'
  silent 'not used'
fi

echo "- kinds of models"
judge 0 bpd learned held.h5 -n 8 --draws 20
judge 0 bpd classes held.h5 -n 8 --draws 20
judge 78 bpd classes unlabelled.h5 -n 8
says 'have no labels'
judge 78 bpd flow held.h5 -n 8
says 'no variational bound'
judge 78 bpd learned held.h5 -n 8 --variance fixedsmall
says '--variance fixedsmall: this model was trained with learned_range'
judge 78 bpd own held.h5 -n 8 --steps 20
says 'learned the variance of its own 1000 steps; of 20 it knows none: leave --steps out'
judge 66 bpd one held.h5 --best
says 'knows of no best checkpoint'
judge 0 bpd one held.h5 -n 8 --steps 20 --variance fixedsmall --weights raw
says '^steps  *20 of 20 evaluated'
judge 0 bpd one held.h5 -n 2 --draws all
says '^steps  *1000 of 1000 evaluated'
four_digits() { field value | cut -c 1-5; }
judge 0 bpd one held.h5 -n 8 --draws 20 --json
says '"clip": true'
says '"batch": 8'
clipped=$(field value)
digits=$(four_digits)
# Of batches of 3 the last has 2; noise and timesteps belong to the image.
judge 0 bpd one held.h5 -n 8 --draws 20 --batch 3 --json
says '"batch": 3'
same "bits a dimension by batches of 3" "$(four_digits)" "$digits"
judge 0 bpd one held.h5 -n 8 --draws 20 --no-clip --json
says '"clip": false'
other "bits a dimension without clipping" "$(field value)" "$clipped"

echo "- without a network"
judge 0 swd one/samples.h5 held.h5 --directions 64
swd=$(cat out)
run 0 "${mpirun[@]}" 2 "$bin/ddpm-eval" swd one/samples.h5 held.h5 --directions 64 -o two
same "distance on 1 and 2 ranks" "$(cat out)" "$swd"
judge 0 swd shapes.h5 held.h5 --directions 64 --json -o two
says '"metric": "swd"'
judge 0 swd one/more.h5 held.h5 --directions 64
judge 0 swd one/samples.h5 held.h5 --directions 64 --seed 3 -o two
other "distance by other patches and directions" "$(grep '^mean' out)" "$(grep '^mean' <<<"$swd")"
judge 0 swd one/samples.h5 held.h5 --directions 64 -n 10 -o two
says '^samples .* 10 of 40 images'
says '^reference .* 10 of 40 images'
judge 0 classifier-distance one/samples.h5 shapes.h5
says 'held-out images are classified'
distance=$(cat out)
judge 0 classifier-distance one/samples.h5 shapes.h5
says 'trained on sha256:'
same "distance by a classifier that was kept" "$(cat out)" "$distance"
silent 'FID'
judge 78 classifier-distance one/samples.h5 shapes.h5 --seed 5
says 'was trained otherwise'
# Another labelled set: it is said which set the classifier knows.
judge 78 classifier-distance one/samples.h5 held.h5
says 'one/eval/classifier.h5 was trained on sha256:.*, and held.h5 is sha256:'
judge 0 classifier-distance one/samples.h5 held.h5 --train shapes.h5 -n 30 --json
says '"compared": 30'
says '"note": "sha256:[0-9a-f]\{64\}, 3 epochs, seed 0"'
named=$(field value)
judge 0 classifier-distance one/samples.h5 held.h5 --classifier one/eval/classifier.h5 -n 30 --json
same "distance by a classifier that is named" "$(field value)" "$named"
judge 0 classifier-distance one/samples.h5 unlabelled.h5
judge 0 classifier-distance one/samples.h5 held.h5 --classifier own.h5 --train held.h5 --epochs 1 -o two
there own.h5
judge 78 classifier-distance one/samples.h5 unlabelled.h5 -o nolabels
says 'no labels'
judge 78 classifier-distance one/samples.h5 small.h5
says 'images of one/samples.h5 are 16 x 16 x 3, those of small.h5 8 x 8 x 3'
judge 78 classifier-distance small.h5 small.h5 --classifier own.h5
says 'own.h5 is for images of 16 x 16 x 3, these are 8 x 8 x 3'
judge 65 classifier-distance one/samples.h5 shapes.h5 --classifier shapes.h5
says 'shapes.h5'

echo "- features from files"
seq 1 60 | awk '{ print $1 * 7 % 11, $1 * $1 % 13, $1 % 5 }' >a.txt
awk '{ print $1 + 3, $2, $3 - 4 }' a.txt >b.txt
for name in a b; do
  run 0 h5import $name.txt -d 60,3 -p features -t TEXTFP -s 32 -o $name.h5
done
judge 78 fid a.h5 b.h5 -o features
says 'say it by --protocol'
judge 78 fid a.h5 b.h5 --protocol pytorch-fid -o features
says 'a.h5: features of pytorch-fid have 2048 dimensions, these have 3'
judge 0 fid a.h5 b.h5 --protocol ours -o features
says '^Frechet distance 25.0000' # 3^2 + 4^2: the same spread, another mean
silent 'FID'
judge 0 fid a.h5 a.h5 --protocol ours -o features
says '^Frechet distance -\{0,1\}0.00000'
judge 0 kid a.h5 b.h5 --protocol ours -o features --subset-size 30
says '^kernel distance'
first=$(grep '^kernel distance' out)
judge 0 kid a.h5 b.h5 --protocol ours -o features --subset-size 30 --seed 4
other "a kernel distance by other subsets" "$(grep '^kernel distance' out)" "$first"
judge 0 kid a.h5 b.h5 --protocol ours -o features
says '^kernel distance .*, - between subsets: there is one, of 60$'
judge 0 kid a.h5 b.h5 --protocol ours -o features --json
says '"std": null'
says '"subsets": 1,'
judge 0 prdc a.h5 a.h5 --protocol ours -o features
says 'precision 1.0000, recall 1.0000'
judge 0 prdc a.h5 b.h5 --protocol ours -o features -k 3
says '(3 neighbours)$'
judge 0 compare features
says '^precision .* b.h5:\|^precision .* a.h5:'
says '^coverage '

echo "- mean and covariance alone"
le() { # BYTES NUMBER: little-endian
  local i
  for ((i = 0; i < $1; i++)); do printf "\\x$(printf %02x $(($2 >> 8 * i & 255)))"; done
}
npy() { # SHAPE BITS: one float64
  local header="{'descr': '<f8', 'fortran_order': False, 'shape': $1, }"
  printf '\x93NUMPY\x01\x00'
  le 2 ${#header}
  printf %s "$header"
  le 8 "$2"
}
# npz FILE MEAN VARIANCE: of one dimension, given as the bits of float64
npz() {
  local name at entries=0 sizes
  : >"$1"
  : >central
  npy '(1,)' "$2" >mu.npy
  npy '(1, 1)' "$3" >sigma.npy
  for name in mu.npy sigma.npy; do
    at=$(stat -c %s "$1")
    sizes=$(stat -c %s $name)
    {
      gzip -c $name | tail -c 8 | head -c 4 # CRC-32
      le 4 "$sizes"
      le 4 "$sizes"
      le 2 ${#name}
    } >sums
    { printf 'PK\3\4'; le 10 20; le 4 0; } | head -c 14 | cat - sums >>"$1"
    { le 2 0; printf %s $name; cat $name; } >>"$1"
    { printf 'PK\1\2'; le 2 20; le 10 20; cat sums; le 10 0; le 2 0; le 4 "$at"; printf %s $name; } >>central
    entries=$((entries + 1))
  done
  at=$(stat -c %s "$1")
  cat central >>"$1"
  { printf 'PK\5\6'; le 4 0; le 2 $entries; le 2 $entries; le 4 "$(stat -c %s central)"; le 4 "$at"; le 2 0; } >>"$1"
}
npz one.npz $((0x3ff0 << 48)) $((0x4000 << 48))
npz four.npz $((0x4010 << 48)) $((0x4000 << 48))
judge 0 fid one.npz four.npz --protocol ours -o moments --json
says '"value": 9.0'
says '"images": null'
silent '"images": 0'
judge 0 compare moments
says '^frechet_distance  *9  *-  *-  *-  *-  *-  *-  *moments  *four.npz:'

echo "- memorization"
judge 0 memorization one/samples.h5 shapes.h5 --held-out held.h5
says '^ratio of medians'
there one/eval/memorization-*-pairs.png one/eval/memorization-*.svg
cp shapes.h5 $'caf\xe9.h5' # no UTF-8, as JSON must be
judge 0 memorization one/samples.h5 $'caf\xe9.h5' -o bytes --json
says '"path": "caf\\\\xe9.h5"'
judge 0 memorization shapes.h5 shapes.h5 --held-out held.h5 -o self
says '^ratio of medians 0.0000'
says '100.00%'
silent 'held out'
# Of 40 held-out images 4 are trained on, then all of 50.
run 0 "$bin/ddpm-data" generate shapes -n 4 --size 16 --seed 9 -o four.h5
judge 0 memorization one/samples.h5 four.h5 --held-out held.h5 -q -o leaked
says 'warning: 4 of 40 held-out images of held.h5 stand in the training set four.h5'
says '^held-out .* 4 copies$'
says '^ratio of medians [0-9]'
says '^samples nearer .*: -, since'
run 0 "$bin/ddpm-data" generate shapes -n 50 --size 16 -o seen.h5
judge 0 memorization one/samples.h5 shapes.h5 --held-out seen.h5 -o leaked
says '50 of 50 held-out images of seen.h5 stand in the training set'
says '^ratio of medians -: half'
judge 0 memorization one/samples.h5 shapes.h5 --held-out seen.h5 -o leaked --json
says '"memorization_ratio": null'
says '"share_below_held_out_percentile": null'
says '"copies": 50'
judge 0 compare leaked
says '^memorization_ratio '
says '^nearest_rmse '
silent 'no result'
judge 78 memorization one/samples.h5 shapes.h5 --held-out shapes.h5
says "shapes.h5 is the training set itself"
judge 78 memorization one/samples.h5 small.h5
says "images of one/samples.h5 are 16 x 16 x 3, those of small.h5 8 x 8 x 3"

echo "- compare"
judge 0 compare one three -o compared
says '^bpd '
says '^swd .* 5  *ddim '
says '^memorization_ratio '
says '^share_below_held_out_percentile '
there compared/compare.tsv compared/swd-by-steps.svg compared/swd-by-steps.png
judge 0 compare one --json
judge 66 compare empty
mkdir empty
judge 66 compare empty

echo "- bad input"
judge 64
judge 64 bits
says "did you mean\|lists them"
judge 64 bpd one
judge 64 bpd one held.h5 --draws many
judge 64 swd one/samples.h5
judge 78 bpd one held.h5 -n 41
says '40 images'
judge 78 bpd one held.h5 --draws 1
says '1 draw: it would be t = 0'
judge 78 bpd one held.h5 --steps 1001
says '--steps 1001, but one/.* was trained with diffusion.steps = 1000'
judge 78 bpd one small.h5
says 'model.image_size = 16 .*, but the images of small.h5 (shapes) have height 8'
judge 78 bpd one held.h5 --weights ema:0.5
says '--weights ema:0.5: one/.* has raw, ema:0.9$'
judge 66 bpd nowhere held.h5
judge 66 bpd one nowhere.h5
judge 65 bpd shapes.h5 held.h5
judge 65 bpd one "$newest"
judge 73 bpd one held.h5 -n 2 -o tiny.ini/x
long="two$(printf '/%.0s' $(seq 4093))"
for metric in "bpd one" "swd shapes.h5"; do
  # shellcheck disable=SC2086
  judge 73 $metric held.h5 -n 2 -o "$long"
  says 'too long'
done
judge 66 fid nowhere.npz nowhere.npz
judge 65 fid shapes.h5 shapes.h5
judge 65 fid tiny.ini tiny.ini
judge 0 --help
says 'memorization'
judge 0 bpd --help
judge 0 --version
run 74 sh -c "'$bin/ddpm-eval' compare one >/dev/full"

finish 153
