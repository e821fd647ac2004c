#!/usr/bin/env bash
# tests/fuzz/seeds.sh BUILD FOLDER: writes seeds of every format into FOLDER. BUILD has fuzz_seeds built.
# Of datasets also a copy in HDF5's oldest format, which has other structures.
set -euo pipefail
build=${1:?usage: tests/fuzz/seeds.sh BUILD FOLDER} folder=${2:?usage: tests/fuzz/seeds.sh BUILD FOLDER}
here=$(dirname "$0")
mkdir -p "$folder/config"
"$build/tests/bin/fuzz_seeds" "$folder"
for ini in "$here"/../../configs/*.ini; do
  grep -v '^;' "$ini" >"$folder/config/$(basename "$ini" .ini)"
done
printf '[train]\nbatch=8 ; why\nlr : 1e-3\r\n\n# c\n[ema]\nrates = 0.9, 0\n[data]\npath = a b;c\n' >"$folder/config/small"
for set in bytes floats; do
  h5repack --low=0 --high=1 -f GZIP=9 "$folder/dataset/$set" "$folder/dataset/$set-old"
done
