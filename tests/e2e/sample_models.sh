#!/usr/bin/env bash
# ddpm-sample on models of every kind, trained for a few steps: what it takes by default, what it is
# told, and what it refuses.
#   sample_models.sh BIN_DIR MPIRUN...
bin=$1
shift
mpirun=("$@")
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh" sample-models
export OMPI_MCA_ess_singleton_isolated=1

# model NAME SETTING...: a run of that name
model() {
  local name=$1 setting arguments=()
  shift
  for setting in "$@"; do arguments+=(--set "$setting"); done
  run 0 "$bin/ddpm-dist" train --config tiny.ini --run "$name" "${arguments[@]}"
}
# sample CODE MODEL ARGUMENT...
sample() {
  local code=$1
  shift
  run "$code" "$bin/ddpm-sample" -q --json --threads 1 -o x.h5 "$@"
}
# is KEY VALUE: in the JSON of the last run
# shellcheck disable=SC2154
is() { same "$1 of '$last'" "$(field "$1")" "$2"; }
hash_of() {
  "$bin/ddpm-data" info "$1" | sed -n 's/^content *//p'
}

cat >tiny.ini <<'INI'
[data]
path = shapes.h5
[model]
channels = 8
channel_mult = 1,2
blocks = 1
attention =
groups = 4
[diffusion]
steps = 100
beta_end = 0.1
[train]
batch = 4
micro_batch = 2
steps = 3
lr = 1e-3
threads = 1
[ema]
rates = 0.5
[sample]
every = 0
[log]
every = 1
INI
run 0 "$bin/ddpm-data" generate shapes -n 20 --size 8 -o shapes.h5
# 8 x 8, the lower half white
base64 -d >mask.png <<'PNG'
iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAEElEQVR42mNgIAL8hwI8DAA+Jh/h20QdPwAAAABJRU5ErkJggg==
PNG
model eps
model classes model.classes=6 train.label_dropout=0.2
model always model.classes=6 train.label_dropout=0
model flow diffusion.process=flow
model jsd diffusion.schedule=jsd
model learned objective.variance=learned objective.loss=kl
model range objective.variance=learned_range objective.loss=hybrid
model xprev objective.prediction=xprev
model x0 objective.prediction=x0
model v objective.prediction=v

echo "- defaults are the model's and the sampler's"
sample 0 eps -n 1
is sampler ddim; is steps 50; is spacing leading; is clip rederive; is prediction eps; is eta 0.0
is network_evaluations 400; is mode plain
sample 0 eps -n 1 --sampler ddpm
is steps 100; is spacing sections; is variance fixedlarge; is network_evaluations 800
sample 0 eps -n 1 --sampler dpm++
is steps 20; is spacing uniform; is clip eps
sample 0 eps -n 1 --sampler heun
is steps 20; is spacing karras; is clip rederive; is network_evaluations 312
sample 0 eps -n 1 --sampler euler
is steps 50; is spacing spread; is clip rederive
sample 0 flow -n 1
is sampler euler; is steps 50; is spacing equal; is prediction velocity; is clip none
sample 0 learned -n 1 --sampler ddpm
is variance learned; is steps 100
sample 0 range -n 1 --sampler ddpm --steps 7
is variance learned_range
sample 0 xprev -n 1
is prediction xprev; is clip rederive
sample 0 v -n 1 --sampler heun
is prediction v

echo "- what is asked for decides the images"
images=""
for how in "" "--steps 9" "--spacing spread" "--spacing uniform" "--spacing quadratic" \
  "--spacing karras" "--eta 0.5" "--clip eps" "--no-clip" "--sampler ddpm --steps 50" \
  "--sampler ddpm --steps 50 --variance fixedsmall" "--sampler dpm++" "--sampler heun" "--sampler euler --no-clip"; do
  # shellcheck disable=SC2086
  sample 0 eps -n 2 $how
  images+="$(hash_of x.h5) $how"$'\n'
done
same "different drawings" "$(printf %s "$images" | cut -d" " -f1 | sort -u | grep -c sha256)" 14
sample 0 learned -n 2 --sampler ddpm
own=$(hash_of x.h5)
sample 0 learned -n 2 --sampler ddpm --variance fixedlarge
is variance fixedlarge
checks=$((checks + 1))
[ "$own" != "$(hash_of x.h5)" ] || failed "a learned variance is not used"
for how in "--sampler euler" "--sampler heun" "--sampler dpm++"; do
  # shellcheck disable=SC2086
  sample 0 flow -n 1 $how --steps 5
done

echo "- classes and guidance"
sample 0 classes -n 2
is class "each in turn"; is guidance 1.0
turn=$(hash_of x.h5)
sample 0 classes -n 2 --class 0,1
says '"class": "0,1"'
same "each in turn" "$turn" "$(hash_of x.h5)"
sample 0 classes -n 2 --class none
says '"class": "none"'
none=$(hash_of x.h5)
sample 0 classes -n 2 --class 0,1 --guidance 0
is guidance 0.0; is network_evaluations 800
same "no guidance at all" "$none" "$(hash_of x.h5)"
sample 0 classes -n 2 --class 0,1 --guidance 3
is guidance 3.0
run 0 "${mpirun[@]}" 3 "$bin/ddpm-sample" -q --threads 1 classes -n 2 --class 0,1 --guidance 3 -o y.h5
same "guided on three ranks" "$(hash_of x.h5)" "$(hash_of y.h5)"
sample 0 classes --vary shapes.h5:3 --t 50 -n 1
first=$(field class)
sample 0 classes --vary shapes.h5:3 --t 50 -n 1 --class "$first"
is class "$first"
sample 0 classes --vary shapes.h5:3 --t 50 -n 1 --class none
is class none
sample 0 classes --prefix --t 50 -n 2 --first 4
is class 4

echo "- labels: the class of plain images, where it had a say"
# labels_of FILE: the images of each class
labels_of() { "$bin/ddpm-data" info --verify "$1" | sed -n '/^labels/,/^chunks/{s/  */ /g;p}' | tr '\n' ';'; }
sample 0 classes -n 5 --steps 2 --class 4,1 --first 1
same "labels" "$(labels_of x.h5)" "labels 5 classes; 0 0 ; 1 3 ; 2 0 ; 3 0 ; 4 2 ;chunks 85 images each;"
run 0 "$bin/ddpm-eval" memorization x.h5 shapes.h5 --json -o judged
says '"class": "4,1"'
says '"prediction": "eps"'
says '"clip": "rederive"'
says '"objective": "eps by mse, variance fixedlarge, .*6 classes, 0.2 withheld"'
sample 0 classes -n 8 --steps 2 --uint8 --guidance 2
same "labels in turn" "$(labels_of x.h5)" "labels 6 classes; 0 2 ; 1 2 ; 2 1 ; 3 1 ; 4 1 ; 5 1 ;chunks 341 images each;"
run 0 "${mpirun[@]}" 3 "$bin/ddpm-sample" -q --threads 1 classes -n 8 --steps 2 --uint8 --guidance 2 \
  --batch 2 -o three.h5
run 0 "$bin/ddpm-sample" -q --threads 1 classes -n 8 --steps 2 --uint8 --guidance 2 --batch 2 -o x.h5
same "labels on three ranks" "$(hash_of three.h5)" "$(hash_of x.h5)"
for how in "--class 1,none" "--class 1 --guidance 0" "--progressive=2 --class 1" "--prefix --t 50"; do
  # shellcheck disable=SC2086
  sample 0 classes -n 2 --steps 2 $how
  same "labels of $how" "$(labels_of x.h5)" "labels none;chunks 85 images each;"
done
sample 0 eps -n 2 --steps 2
same "labels without classes" "$(labels_of x.h5)" "labels none;chunks 85 images each;"

echo "- every kind of model draws the same on three ranks"
for how in "flow --sampler euler --steps 5" "flow --sampler heun --steps 4" "flow --sampler dpm++ --steps 5" \
  "x0 --steps 5" "xprev --steps 5" "v --sampler heun --steps 4" "learned --sampler ddpm" \
  "range --sampler ddpm --steps 7" "flow --inpaint shapes.h5:0 --mask mask.png --steps 6 --times 2"; do
  # shellcheck disable=SC2086
  run 0 "$bin/ddpm-sample" -q --threads 2 --batch 2 -n 5 -o one.h5 $how
  # shellcheck disable=SC2086
  run 0 "${mpirun[@]}" 3 "$bin/ddpm-sample" -q --threads 1 --batch 2 -n 5 -o three.h5 $how
  same "$how on three ranks" "$(hash_of one.h5)" "$(hash_of three.h5)"
done

echo "- modes along a flow, and with other predictions"
for name in flow xprev v range; do
  sample 0 "$name" --progressive=3 -n 1 --steps 5
  sample 0 "$name" --vary shapes.h5:0 -n 1 --steps 5
  sample 0 "$name" --interpolate shapes.h5:0 shapes.h5:1 -n 2 --steps 5
  sample 0 "$name" --forward shapes.h5:0
done
sample 0 flow --forward shapes.h5:0 --t 0,500,1000
says '"t": "10,500,1000"'
for name in flow xprev range; do
  sample 0 "$name" --inpaint shapes.h5:0 --mask mask.png -n 1 --steps 5 --times 2
done

sample 0 always --forward mask.png

echo "- what makes no sense is refused"
refuses() {
  local code=$1 what=$2
  shift 2
  rm -f x.h5
  sample "$code" "$@"
  says "$what"
  checks=$((checks + 1))
  [ ! -e x.h5 ] || failed "'$last' wrote x.h5"
}
refuses 78 'trained without classes' eps --class 1
refuses 78 'trained without classes' eps --guidance 2
refuses 78 'knows classes 0 to 5' classes --class 6
for class in a b c d e f g; do mkdir -p "seven/$class" && cp mask.png "seven/$class/"; done
run 0 "$bin/ddpm-data" import images seven --size 8 --folder-labels -o seven.h5
refuses 78 "the image's label is 6: .*knows classes 0 to 5; say --class" classes --vary seven.h5:6
refuses 78 'guides to a class' classes --class none --guidance 2
refuses 78 'label_dropout = 0' always --class none
refuses 78 'label_dropout = 0' always --guidance 2
refuses 78 'say --class K' always --vary mask.png
refuses 78 'prefix shows what noise alone decides, so its images are of one class: name one' \
  classes --prefix --class 1,2
refuses 78 'another spacing, such as spread' jsd --sampler heun
refuses 78 'is a flow: take euler' flow --sampler ddim
refuses 78 'is a flow: take euler' flow --sampler ddpm
refuses 78 'steps are all equal' flow --spacing leading
refuses 78 'along a flow there is none' flow --prefix
refuses 78 'end with 1000' flow --vary shapes.h5:0 --t 1001
refuses 78 'all 100 steps' learned --sampler ddpm --steps 50
refuses 78 'objective.variance = learned' learned --sampler ddpm --variance learned_range
refuses 78 'objective.variance = fixedlarge' eps --sampler ddpm --variance learned
refuses 78 'another spacing than karras' xprev --spacing karras
refuses 78 'diffusion.steps = 100' eps --steps 101
refuses 64 'this is dpm++' eps --sampler dpm++ --eta 0.5
refuses 64 'this is heun' eps --sampler heun --variance fixedsmall
refuses 64 'dpm++ goes by the image alone' eps --sampler dpm++ --clip eps
refuses 78 'jumps back' eps --inpaint shapes.h5:0 --mask mask.png --sampler dpm++
run 78 "$bin/ddpm-sample" eps --inpaint shapes.h5:0 --mask mask.png --sampler dpm++ -o x.h5
silent drawing

echo "- network evaluations are counted as they come"
sample 0 jsd -n 1 --sampler heun --spacing spread --steps 4 --batch 1
is network_evaluations 6
sample 0 jsd --inpaint shapes.h5:0 --mask mask.png -n 1 --sampler heun --spacing spread --steps 5 --jump 2 --times 3 --batch 1
is network_evaluations 22

finish 215
