#!/usr/bin/env bash
# The benchmark scripts as far as they go without PyTorch and without root: arguments, errors, and
# what they write into a page. PyTorch's side is played by a script that knows its answer.
#   bench_scripts.sh BIN_DIR
bin=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh" bench

# script CODE SCRIPT ARGUMENT...
script() { run "$1" "$root/tests/$2" "${@:3}"; }
holds() {
  checks=$((checks + 1))
  grep -q -e "$2" "$1" || failed "$1 does not hold '$2': $(cat "$1")"
}
compare() { script "$1" bench/compare.py --bin "$bin" "${@:2}"; }

cat >torch <<'SH'
#!/bin/sh
case $1 in -c) echo 1.99 ;; *)
  echo '{ "best_images_per_second": 0.001, "images_per_second": 0.001, "peak_rss_bytes": 1048576 }' ;;
esac
SH
chmod +x torch

echo "- compare.py"
compare 0 --list
says '^train-fp32 '
compare 64 no-such-row
says 'evaluate-fp32'
compare 64 --rounds 0
compare 64 --no-such-option
script 66 bench/compare.py --bin nowhere
compare 69 --python false
says 'apt-get install python3-torch'
compare 66 --python ./torch --write missing.md quickstart
printf 'before\n<!-- compare.py: rows -->\n| row | what |\n| --- | --- |\n| memory | kept |\n<!-- end -->\nafter\n' >page.md
compare 0 --python ./torch --quick --write page.md quickstart
says '^quickstart .* fp32: 0.001 images/s'
holds page.md '^| quickstart | .* images/s | fp32: 0.001 images/s (channels_last) | [0-9.]* | '
holds page.md '^| memory | kept |$'
holds page.md '^| quickstart | .*| 1 x 2, .*[0-9]-[0-9]* |$'
holds page.md 'PyTorch 1.99, .*compare.py'
holds page.md '^before$'
holds page.md '^after$'
echo "no markers" >bare.md
compare 65 --python ./torch --quick --write bare.md quickstart

echo "- scaling"
script 0 bench/scaling_table.py --bin "$bin" --core-rate 9
says '^| 16 | 2 x 8 | 1 | 128 | 8 x 8 | 57.6 | '
script 64 bench/scaling_table.py --core-rate fast
script 66 bench/scaling_table.py --bin nowhere
script 64 bench/scaling.sh --cases 2by1
script 64 bench/scaling.sh --steps 0
script 64 bench/scaling.sh --no-such-option
script 64 bench/scaling.sh --steps
script 66 bench/scaling.sh --bin nowhere
script 64 cluster/netns.sh
script 64 cluster/netns.sh fly

echo "- timesteps"
run 0 env BIN="$bin" "$root/tests/bench/timesteps.sh" "" 6 "1 2" 8
says '^| 8 | [0-9.]* | [0-9.]* | [0-9.]* ± [0-9.]* | [0-9.]* | [0-9.]* | [0-9.]* ± [0-9.]* |$'
run 66 env BIN="$bin" "$root/tests/bench/timesteps.sh" missing.h5 6

finish 26
