#!/usr/bin/env bash
# ddpm-eval compare, on results as the other subcommands and ddpm-dist write them.
#   compare.sh BIN_DIR
bin=$1
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh" compare

compare() {
  local code=$1
  shift
  run "$code" "$bin/ddpm-eval" compare "$@"
}
# legend PLOT: the names of its curves, in order, each followed by ;
legend() { sed -n 's/.*<text[^>]*text-anchor="start">\(.*\)<\/text>/\1;/p' "$1" | tr -d '\n'; }
# subtitle PLOT: what all curves share
subtitle() { sed -n 's/.*<text[^>]*y="38.00"[^>]*>\(.*\)<\/text>/\1/p' "$1"; }
# discs PLOT: how many points it has
discs() { grep -c '<circle' "$1"; }
# row METRIC COLUMN: of the first result of that metric in tsv/compare.tsv, by the column's head
row() {
  awk -F '\t' -v metric="$1" -v column="$2" '
    NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) at = i }
    NR > 1 && $1 == metric { print $at; exit }' tsv/compare.tsv
}
# bpd STEP VALUE DATA SETTINGS TIME
bpd() {
  printf '{"metric":"bpd","value":%s,"standard_error":0.1,"images":20,"model":{"checkpoint":"%s/checkpoints/step-%s.h5",' \
    "$2" "${model:-one}" "$1"
  printf '"digest":"d%s","step":%s,"weights":"ema:0.9"},"data":{"path":"x.h5",%s,"images":99},"settings":{%s},' "$1" "$1" "$3" "$4"
  printf '"created":"2026-01-01T00:00:0%sZ"}\n' "$5"
}
# swd STEPS VALUE NOTES IMAGES
swd() {
  printf '{"metric":"swd","value":%s,"images":%s,"samples":{"content_hash":"sha256:s","checkpoint_digest":"d","step":10.0,' "$2" "$4"
  printf '"steps":%s.0,"sampler":"ddim","weights":"ema:0.9",%s},' "$1" "$3"
  printf '"reference":{"name":"held","content_hash":"sha256:aaaa","compared":%s},"settings":{"seed":0}}\n' "$4"
}
held='"name":"held","content_hash":"sha256:aaaabbbbcccc"'
shapes='"name":"held","content_hash":"sha256:ddddeeeeffff"'
all='"steps":1000,"evaluations":20,"clip":true,"seed":0'

echo "- one curve, one comparison"
mkdir -p one/eval
{
  for step in 10 20 40; do
    bpd $step 3 "$held" "$all" 1
    bpd $step 4 "$shapes" "$all" 1
    bpd $step 5 "$held" "${all/true/false}" 1
  done
} >one/eval/results.jsonl
compare 0 one -o sets
says '^bpd  *3  *0.1  *10  *1000  *-  *ema:0.9  *20  *one  *held:aaaabbbb  *clip=yes draws=20 seed=0$'
same "curves of two sets and two settings" "$(legend sets/bpd-by-step.svg)" \
  'held:aaaabbbb, clip=no;held:aaaabbbb, clip=yes;held:ddddeeee, clip=yes;'
same "what these share" "$(subtitle sets/bpd-by-step.svg)" 'one, ema:0.9, steps 1000, images 20'
same "their points" "$(discs sets/bpd-by-step.svg)" 9
mkdir eta
{
  for steps in 5 10; do
    swd $steps 1 '"eta":0.0,"guidance":1.0' 20
    swd $steps 2 '"eta":1.0,"guidance":1.0' 20
    swd $steps 3 '"eta":1.0,"guidance":3.0' 20
    swd $steps 4 '"eta":1.0,"guidance":3.0' 30
  done
} >eta/results.jsonl
compare 0 eta -o eta
same "curves of samplers' settings and numbers of images" "$(legend eta/swd-by-steps.svg)" \
  'images 20, eta=0, guidance=1, reference_images=20;images 20, eta=1, guidance=1, reference_images=20;images 20, eta=1, guidance=3, reference_images=20;images 30, eta=1, guidance=3, reference_images=30;'
same "what these share" "$(subtitle eta/swd-by-steps.svg)" 'eta, ddim, ema:0.9, step 10, held:aaaa'

echo "- results of other runs in one directory"
mkdir shared
{
  model=runs/a bpd 10 3 "$held" "$all" 1
  model=runs/b bpd 10 4 "$held" "$all" 1
  model=runs/a bpd 20 3 "$held" "$all" 1
} >shared/results.jsonl
compare 0 shared -o shared
same "curves of two models" "$(legend shared/bpd-by-step.svg)" \
  'model=a;model=b;'

echo "- all steps of whatever schedule"
mkdir steps
{
  bpd 10 3 "$held" '"steps":100,"evaluations":100' 1
  bpd 10 4 "$held" '"steps":1000,"evaluations":1000' 1
} >steps/results.jsonl
compare 0 steps -o steps
says 'draws=all'
same "the curve of all steps" "$(legend steps/bpd-by-steps.svg)$(subtitle steps/bpd-by-steps.svg)" \
  'steps, ema:0.9, step 10, held:aaaabbbb, images 20'

echo "- of one place the last by time"
mkdir times
{
  bpd 10 3 "$held" "$all" 5
  bpd 10 9 "$held" "$all" 2
  bpd 20 4 "$held" "$all" 1
} >times/results.jsonl
compare 0 times -o times
says '1 results stand where a later one does'
same "points of three results at two places" "$(discs times/bpd-by-step.svg)" 2
tac times/results.jsonl >later.jsonl
mkdir later
mv later.jsonl later/results.jsonl
compare 0 later -o later
same "the plot of the same results in another order" "$(sed s/later/times/ later/bpd-by-step.svg)" \
  "$(cat times/bpd-by-step.svg)"
compare 0 later times -o both
same "curves of two runs" "$(legend both/bpd-by-step.svg)" 'later;times;'
same "what these share" "$(subtitle both/bpd-by-step.svg)" 'ema:0.9, steps 1000, held:aaaabbbb, images 20'

echo "- values of more than a decade, on a logarithmic axis"
mkdir decades
{
  bpd 10 4 "$held" "$all" 1
  bpd 20 0.4 "$held" "$all" 1
} >decades/results.jsonl
compare 0 decades -o decades
ticks() { sed -n 's/.*<text[^>]*text-anchor="end">\(.*\)<\/text>/\1;/p' "$1" | tr -d '\n'; }
same "ticks of a decade" "$(ticks decades/bpd-by-step.svg)" '0.5;1;2;'
same "ticks of less" "$(ticks times/bpd-by-step.svg)" '3;3.2;3.4;3.6;3.8;4;'

echo "- numbers that are not known"
mkdir unknown
for value in 1 2 3; do
  for step in 30 null 10; do
    bpd 10 $value "$held" '"evaluations":20' 1 | sed "s/\"step\":10/\"step\":$step/"
  done
done >unknown/results.jsonl
compare 0 unknown -o unknown
same "steps, the unknown first" "$(awk '$1 == "bpd" { printf "%s ", $4 }' out)" "- - - 10 10 10 30 30 30 "
same "and equal ones as they came" "$(awk '$1 == "bpd" { printf "%s ", $2 }' out)" "1 2 3 1 2 3 1 2 3 "
same "a name without what is not known" "$(subtitle unknown/bpd-by-step.svg)" 'unknown, ema:0.9, held:aaaabbbb, images 20'

echo "- evaluations in the course of training"
mkdir -p run/eval
for step in 5 10; do
  echo '{"step":'$step',"loss":0.5}'
  printf '{"step":%s,"eval_loss":0.25,"eval_bpd":3.5,"eval_bpd_standard_error":0.125,"eval_images":40,"eval_draws":20,' $step
  echo '"eval_weights":"ema:0.9","eval_data":"sha256:aaaabbbbcccc","time":"2026-01-31T12:00:00Z"}'
done >run/metrics.jsonl
compare 0 run -o trained
says '^eval_loss  *0.25  *-  *5  *-  *-  *ema:0.9  *40  *run  *aaaabbbb  *-$'
says '^eval_bpd  *3.5  *0.125  *10  .* draws=20$'
same "their plot" "$(discs trained/eval_bpd-by-step.svg) $(subtitle trained/eval_bpd-by-step.svg)" \
  "2 run, ema:0.9, aaaabbbb, images 40"
bpd 5 3 "$held" "$all" 1 >run/eval/results.jsonl
swd 5 1 '"eta":0.0' 20 >run/results.jsonl
compare 0 run -o tsv
says '^swd '
says '^bpd '
says '^eval_loss .* held:aaaabbbb '
silent 'is no result'
same "heads for programs" "$(head -n 1 tsv/compare.tsv | tr '\t' ' ')" \
  'metric value error step steps sampler weights images run reference settings model samples reference_hash key created'
same "a row's checkpoint" "$(row bpd model)" d5
same "and its data" "$(row bpd reference_hash)" sha256:aaaabbbbcccc
same "a row's samples" "$(row swd samples)" sha256:s
same "and what drew them" "$(row swd model)" d
sed -i '/eval_loss/d' run/metrics.jsonl
rm run/results.jsonl run/eval/results.jsonl
compare 65 run
says 'run has no results'
compare 0 run one
says 'run has no results'
compare 0 run one --json

echo "- what measures several things"
mkdir several
cat >several/results.jsonl <<'JSON'
{"metric":"precision","value":0.5,"precision":0.5,"recall":0.25,"density":1.5,"coverage":0.75,"neighbours":5,"images":0}
{"metric":"memorization_ratio","value":0.9,"share_below_held_out_percentile":0.02,"images":9}
{"metric":"frechet_distance","value":2.0,"images":null,"reference":{"path":"dir/b.npz","hash":"sha256:123456789","images":null}}
JSON
compare 0 several -o several
for metric in 'precision  *0.5' 'recall  *0.25' 'density  *1.5' 'coverage  *0.75' 'memorization_ratio  *0.9  .*  9 ' \
  'share_below_held_out_percentile  *0.02  .*  9 '; do
  says "^$metric "
done
same "a number of images that is not known" "$(awk '$1 == "precision" { print $8 }' out)" -
says '^frechet_distance .* b.npz:12345678 '
same "the number of images of a distribution" "$(awk '$1 == "frechet_distance" { print $8 }' out)" -

echo "- long names and many curves"
long=a-directory-with-a-name/and-another-one-with-a-name/and-the-run
mkdir -p $long
for seed in $(seq 30); do
  for step in 10 20; do bpd $step "$seed" "$held" "\"steps\":1000,\"evaluations\":20,\"seed\":$seed" 1; done
done >$long/results.jsonl
compare 0 $long -o many
says "$long"
same "a path's end" "$(subtitle many/bpd-by-step.svg)" \
  '...other-one-with-a-name/and-the-run, ema:0.9, steps 1000, held:aaaabbbb, images 20'
same "the first name" "$(legend many/bpd-by-step.svg | cut -d ';' -f 1)" 'seed=1'
same "names in the legend" "$(legend many/bpd-by-step.svg | tr ';' '\n' | grep -c seed=)" 20
same "the end of the legend" "$(legend many/bpd-by-step.svg | tr ';' '\n' | tail -n 1)" '... and 10 more'

echo "- bad input"
compare 64
compare 66 nowhere
mkdir empty
compare 66 empty
says 'metrics.jsonl'
: >empty/results.jsonl
compare 65 empty
compare 73 one -o "one$(printf '/%.0s' $(seq 4087))"
says 'too long'

finish 40
