# Checkpoints of other releases: tests/golden keeps one of each format for ever.
# shellcheck shell=bash disable=SC2034,SC2154
fault="a checkpoint of an older or newer release"
promise="older ones are read, with the same values; a newer major version is refused, a newer minor one read"

golden() { # FILE: verifies, has the values it was saved with, draws, is trained on
  local expected
  expected=$(cat "${1%.h5}.txt")
  run 0 "$bin/ddpm-inspect" verify "$1"
  same "values of $(basename "$1")" "$(hashes "$1")" "$expected"
  run 0 timeout -k 5 $bound "$bin/ddpm-sample" "$1" -n 1 --steps 3 -o run.png
  run 0 "$bin/ddpm-inspect" config "$1"
  cp out golden.ini
  mkdir -p run/checkpoints
  cp "$1" "run/checkpoints/$(printf 'step-%09d.h5' "${expected%% *}")"
  run 0 timeout -k 5 $bound "$bin/ddpm-dist" train --config golden.ini --run run --allow-data-change \
    --set data.path=shapes.h5 --set train.steps=$((${expected%% *} + 1))
  says "after ${expected%% *} steps"
  outcome "read, drawn from, trained on"
}
newer() { # UNIT TEST: of files that no release has written yet
  run 0 "$helpers/$1"
  says 'newer'
  outcome "newer major refused, newer minor read"
}

row() {
  local files
  prepare
  files=("$root"/tests/golden/checkpoint-*.h5)
  expect "no golden checkpoint" [ -e "${files[0]}" ]
  each golden -- "${files[@]}"
  each newer -- test_train_checkpoint_format test_io_sealed_file
}
