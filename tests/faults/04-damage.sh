# Damaged and truncated checkpoints: in a process that opens thousands, and by the programs.
# shellcheck shell=bash disable=SC2034,SC2154
fault="a truncated or damaged checkpoint: bit, bytes, page, truncation, header"
promise="never silent, no crash, no hang; resume falls back to an older one and says so"

in_one_process() {
  local count=40
  [ -n "$full" ] && count=1000
  run 0 timeout -k 5 600 "$helpers/faults_open" $count $((seed * 100000)) "$(reference_of 6)"
  says "^truncate: $count tried, 0 wrong"
  tried=$((tried + 5 * count - 1))
  outcome "refused" $((5 * count))
}
# Every program sees it; training goes on from the one before, to the same bits.
by_the_programs() { # KIND
  local place newest=run/checkpoints/step-000000006.h5
  draw place 0 1000000
  cp -r ref run
  rm -f run/done run/checkpoints/step-000000007.h5
  run 0 "$helpers/faults_damage" "$1" "$place" $newest
  last="damage: $1 $place"
  run 65 timeout -k 5 $bound "$bin/ddpm-inspect" verify $newest
  run 65 timeout -k 5 $bound "$bin/ddpm-sample" $newest -n 1 -o run/grid.png
  train 0 --run run --set train.steps=7
  says "skipping a checkpoint: .*step-000000006.h5"
  says "after 5 steps"
  as_reference run
  outcome "fell back and said so"
}

row() {
  prepare
  make_reference 7
  try in_one_process
  if [ -n "$full" ]; then
    local i
    for i in 1 2 3 4 5; do each by_the_programs -- bit bytes page truncate header; done
  else
    each by_the_programs -- bit truncate
  fi
}
