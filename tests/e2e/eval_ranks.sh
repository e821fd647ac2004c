#!/usr/bin/env bash
# ddpm-eval on several ranks: the same results, one message of what fails on one of them, and what is
# kept of an evaluation that was killed.
#   eval_ranks.sh BIN_DIR MPIRUN...
bin=$1
shift
mpirun=("$@")
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh" eval_ranks

judge() { # CODE RANKS ARGUMENT...
  local code=$1 ranks=$2
  shift 2
  run "$code" "${mpirun[@]}" "$ranks" "$bin/ddpm-eval" "$@"
}
# What rank 0 has in the place of one file, rank 1 has in the place of another.
differ() { # CODE METRIC FILE OF_RANK_1 ARGUMENT...
  local code=$1 metric=$2 one=$3 two=$4
  shift 4
  run "$code" "${mpirun[@]}" 1 "$bin/ddpm-eval" "$metric" "$one" "$@" : -np 1 "$bin/ddpm-eval" "$metric" "$two" "$@"
  same "errors that are told" "$(grep -c 'error:' err)" 1
}
# The JSON of the last run without the time and the directory.
result() { sed -e '/"created"/d' -e 's/"path": "r[0-9]*\//"path": "/' out; }
# On 1, 2 and 3 ranks, and with two threads.
everywhere() { # METRIC ARGUMENT...
  judge 0 1 "$@" --json -q -o r1 --threads 1
  local alone
  alone=$(result)
  judge 0 2 "$@" --json -q -o r2 --threads 2
  same "JSON of $1 on 1 and 2 ranks" "$(result)" "$alone"
  judge 0 3 "$@" --json -q -o r3 --threads 1
  same "JSON of $1 on 1 and 3 ranks" "$(result)" "$alone"
  says '"value": -\{0,1\}[0-9]'
  says '"images": [1-9]'
}
kinds() { run 0 "$bin/ddpm-data" generate "$@" -q; }

kinds shapes -n 1500 --size 16 -o train.h5
kinds shapes -n 700 --size 16 --seed 3 -o samples.h5
kinds shapes -n 300 --size 16 --seed 5 -o held.h5
awk 'BEGIN { for (i = 1; i <= 1300; i++) { for (j = 1; j <= 6; j++) printf "%s ", i * j * 7919 % 1009 / 500 + j; print "" } }' >a.txt
awk '{ print $1 + 0.3, $2, $3 * 0.9, $4, $5 - 0.1, $6 }' a.txt >b.txt
for name in a b; do
  run 0 h5import $name.txt -d 1300,6 -p features -t TEXTFP -s 32 -o $name.h5
done

echo "- the same on any number of ranks"
everywhere memorization samples.h5 train.h5 --held-out held.h5
says '"content_hash": "sha256:'
everywhere swd samples.h5 train.h5 --directions 20 --patches 16
says '"content_hash": "sha256:'
everywhere classifier-distance samples.h5 train.h5 --epochs 2
says '"hash": "[0-9a-f]\{32\}"'
everywhere fid a.h5 b.h5 --protocol ours
says '"hash": "sha256:'
everywhere kid a.h5 b.h5 --protocol ours --subsets 7 --subset-size 600
everywhere prdc a.h5 b.h5 --protocol ours

echo "- tables say what was compared"
judge 0 2 swd samples.h5 train.h5 --directions 8 --patches 4 -o table
says '^samples  *samples.h5, 700 of 700 images, sha256:'
says '^reference  *train.h5, 700 of 1500 images, sha256:'
judge 0 2 memorization samples.h5 train.h5 -n 50 -o table
says '^training set  *train.h5, 1500 of 1500 images, sha256:'
judge 0 2 prdc a.h5 b.h5 --protocol ours -o table
says '^samples  *a.h5, 1300 images, 6 dimensions by ours, sha256:'

echo "- one rank fails"
differ 66 swd samples.h5 nowhere.h5 train.h5
says 'rank 1 (.*nowhere.h5'
differ 66 memorization samples.h5 nowhere.h5 train.h5
differ 66 classifier-distance samples.h5 nowhere.h5 train.h5
differ 78 swd samples.h5 held.h5 train.h5
says 'not the same on all ranks'
differ 78 memorization samples.h5 held.h5 train.h5
differ 78 classifier-distance samples.h5 held.h5 train.h5
judge 66 2 fid nowhere.h5 b.h5 --protocol ours
same "errors that are told" "$(grep -c 'error:' err)" 1
judge 73 2 swd samples.h5 train.h5 -o a.txt/x
same "errors that are told" "$(grep -c 'error:' err)" 1
# An image that is damaged is found by the rank that reads it, and told once.
cp train.h5 damaged.h5
head -c 64 /dev/zero | dd of=damaged.h5 bs=1 seek=$(($(wc -c <damaged.h5) / 2)) conv=notrunc 2>/dev/null
judge 65 2 memorization samples.h5 damaged.h5 -o damage
same "errors that are told" "$(grep -c 'error:' err)" 1

echo "- a classifier is trained once"
judge 0 2 classifier-distance samples.h5 train.h5 --epochs 2 -o r2
says 'trained on sha256:'
silent 'training a classifier'
"$bin/ddpm-eval" classifier-distance samples.h5 train.h5 --epochs 200 -o killed >killed.out 2>killed.err &
pid=$!
for _ in $(seq 2000); do
  grep -q 'training a classifier' killed.err && break
  sleep 0.005
done
kill -9 "$pid"
wait "$pid" 2>/dev/null
checks=$((checks + 1))
[ -z "$(ls killed)" ] || failed "a classifier whose training was killed left $(ls killed)"
judge 0 2 classifier-distance samples.h5 train.h5 --epochs 2 --json -q -o killed
hash=$(field hash)
judge 0 1 classifier-distance samples.h5 train.h5 --json -q -o r1
same "a classifier that was trained again" "$hash" "$(field hash)"
printf '\377' | dd of=killed/classifier.h5 bs=1 seek=5000 conv=notrunc 2>/dev/null
judge 65 2 classifier-distance samples.h5 train.h5 -o killed
says 'killed/classifier.h5'
same "errors that are told" "$(grep -c 'error:' err)" 1
judge 78 2 classifier-distance samples.h5 train.h5 --epochs 3 -o r1
says 'was trained otherwise'

echo "- bad arguments"
judge 64 1 swd samples.h5 train.h5 --directions 0
judge 64 1 swd samples.h5 train.h5 -n none
judge 64 1 memorization samples.h5
judge 64 1 memorization samples.h5 train.h5 held.h5
judge 64 1 kid a.h5 b.h5 --subset-size 1
judge 64 1 prdc a.h5 b.h5 -k 0
head -n 30 a.txt >c.txt
run 0 h5import c.txt -d 30,6 -p features -t TEXTFP -s 32 -o c.h5
judge 78 2 prdc a.h5 c.h5 --protocol ours -k 30
same "errors that are told" "$(grep -c 'error:' err)" 1
judge 78 2 kid a.h5 c.h5
judge 64 1 classifier-distance samples.h5 train.h5 --epochs 0
judge 0 1 swd --help
judge 0 1 memorization --help
judge 0 1 classifier-distance --help
judge 0 1 fid --help
judge 0 1 kid --help
judge 0 1 prdc --help

finish 81
