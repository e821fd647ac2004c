#!/usr/bin/env bash
# Features of images by a network, and distances by them.
#   features.sh WEIGHTS_PROGRAM BIN_DIR MPIRUN...
weights=$1
bin=$2
shift 2
mpirun=("$@")
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh" features

judge() {
  local code=$1
  shift
  run "$code" "$bin/ddpm-eval" "$@"
}
ranks() { # RANKS CODE ARGUMENT...
  local count=$1 code=$2
  shift 2
  run "$code" "${mpirun[@]}" "$count" "$bin/ddpm-eval" "$@"
}
digest() { sha256sum <"$1"; }

run 0 "$weights" net.safetensors
run 0 "$bin/ddpm-data" generate shapes -n 21 --size 16 -o samples.h5
run 0 "$bin/ddpm-data" generate shapes -n 30 --size 16 --seed 9 -o real.h5
run 0 "$bin/ddpm-data" generate gaussian -n 9 --size 12 --channels 3 -o colour.h5
run 0 "$bin/ddpm-data" generate gaussian -n 4 --size 8 --channels 2 -o two.h5

echo "- into a file"
judge 0 features samples.h5 --network net.safetensors -o one.h5 --threads 1
says 'features of 21 images'
ranks 3 0 features samples.h5 --network net.safetensors -o three.h5 -q
same "features on 1 and 3 ranks" "$(digest three.h5)" "$(digest one.h5)"
judge 0 features samples.h5 --network net.safetensors -o threads.h5 --threads 2
same "features on 1 and 2 threads" "$(digest threads.h5)" "$(digest one.h5)"
run 0 h5dump -a /features/protocol -a /features/images one.h5
says 'pytorch-fid-inception-v3:[0-9a-f]\{16\}"'
says '\\"compared\\":21\|"compared": *21'
judge 0 features colour.h5 --network net.safetensors -n 3 -o colour-f.h5
run 0 h5dump -H colour-f.h5
says '( 3, 2048 )'

echo "- stopped, and gone on"
run 0 "$bin/ddpm-data" generate shapes -n 90 --size 16 --seed 3 -o many.h5
judge 0 features many.h5 --network net.safetensors -o whole.h5 -q
kept() { cat part/features-*.partial 2>kept.txt | wc -c; }
stop_at_work() { # SIGNAL: as soon as another batch is done; with RANKS to the last of them
  local job before command=("$bin/ddpm-eval")
  [ $# -eq 1 ] || command=("${mpirun[@]}" "$2" "$bin/ddpm-eval")
  mkdir -p part
  before=$(kept)
  "${command[@]}" features many.h5 --network net.safetensors -o part/f.h5 --threads 1 >out 2>err &
  job=$!
  while kill -0 $job 2>stopped.txt && [ "$(kept)" -le $((before + 64)) ]; do sleep 0.02; done
  if [ $# -eq 1 ]; then kill "-$1" $job; else kill "-$1" "$(rank_pid $(($2 - 1)))"; fi
  wait $job 2>stopped.txt
  code=$?
  checks=$((checks + 1))
  [ ! -e part/f.h5 ] || failed "features were not stopped by $1"
}
stop_at_work KILL
same "the end of a killed extraction" $code 137
stop_at_work TERM 2
same "the end of an extraction that one rank stops" $code 75
says 'the same command goes on'
ranks 3 0 features many.h5 --network net.safetensors -o part/f.h5
says '[1-9][0-9]* of 12 batches are done already'
same "features in three goes" "$(digest part/f.h5)" "$(digest whole.h5)"
same "what is left beside them" "$(echo part/*)" part/f.h5
judge 0 features many.h5 --network net.safetensors -o part/again.h5
silent 'done already'

echo "- distances"
judge 0 features real.h5 --network net.safetensors -o real-f.h5
judge 0 fid one.h5 real-f.h5 -o files
says '^FID [0-9.]*$'
value() { sed -n 's/.*"value":\([^,]*\).*/\1/p' "$1/results.jsonl"; }
# The root of matrices of 2048 x 2048 takes its time: one more.
ranks 2 0 fid samples.h5 real-f.h5 --network net.safetensors -o images
same "FID of files and of images on 2 ranks" "$(value images)" "$(value files)"
same "lines of results" "$(value files | wc -l)" 1
# Of what they are, a file knows as well as the network does.
key() { sed -n 's/.*"key":"\([^"]*\)".*/\1/p' "$1/results.jsonl"; }
content() { grep -o '"content_hash":"sha256:[0-9a-f]*"' "$1/results.jsonl" | tr '\n' ' '; }
same "their keys" "$(key images)" "$(key files)"
same "the images that they tell of" "$(content images)" "$(content files)"
grep -q '"features":"one.h5"' files/results.jsonl || failed "the file of the features is not told"
judge 0 compare files
says '^fid .* shapes:[0-9a-f]\{8\}  '
judge 0 kid samples.h5 real.h5 -n 12 --network net.safetensors -o images --json
says '"protocol": "pytorch-fid-inception-v3:'
says '"compared": 12'
says '"content_hash": "sha256:'
judge 0 kid samples.h5 real.h5 --network net.safetensors -o images --subset-size 20 --subsets 5
says '^KID '
judge 0 prdc samples.h5 real.h5 --network net.safetensors -o images
says '^precision '
judge 0 compare images
says '^fid '

echo "- what does not go together"
cp net.safetensors other.safetensors
printf '\1' | dd of=other.safetensors bs=1 seek=$(($(stat -c %s other.safetensors) - 4)) conv=notrunc 2>dd.txt
judge 0 features real.h5 --network other.safetensors -o other-f.h5 -n 4
judge 78 fid one.h5 other-f.h5
says 'other weights'
judge 78 fid samples.h5 other-f.h5 --network net.safetensors
says 'other weights'
seq 1 60 | awk '{ print $1 * 7 % 11, $1 * $1 % 13, $1 % 5 }' >ours.txt
run 0 h5import ours.txt -d 60,3 -p features -t TEXTFP -s 32 -o ours.h5
judge 78 fid one.h5 ours.h5 --protocol ours
judge 78 fid ours.h5 samples.h5 --protocol ours --network net.safetensors
says 'features of ours and of pytorch-fid-inception-v3:.* cannot be compared'
judge 78 features two.h5 --network net.safetensors -o two-f.h5
says '2 channels'
judge 65 fid samples.h5 one.h5
says 'holds images'
judge 65 features one.h5 --network net.safetensors -o x.h5

echo "- bad input"
judge 64 features samples.h5 -o x.h5
judge 64 features samples.h5 --network net.safetensors
judge 64 fid one.h5 real-f.h5 -n 5
judge 66 features samples.h5 --network nowhere -o x.h5
judge 66 features nowhere.h5 --network net.safetensors -o x.h5
judge 65 features samples.h5 --network real.h5 -o x.h5
says "real.h5 has no tensor 'Conv2d_1a_3x3.conv.weight'"
head -c 80000000 net.safetensors >cut.safetensors
ranks 2 65 features samples.h5 --network cut.safetensors -o x.h5
says 'cut.safetensors: tensor .* may be truncated'
judge 73 features samples.h5 --network net.safetensors -n 2 -o nowhere/x.h5
checks=$((checks + 1))
[ ! -e x.h5 ] || failed "a failure left x.h5"
same "what distances leave in their directory" "$(echo images/*)" images/results.jsonl
judge 0 features --help

finish 55
