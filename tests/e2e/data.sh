#!/usr/bin/env bash
# ddpm-data as a user runs it: every format in, a look at what came of it, and for each kind of bad
# input one clear error, the right exit code, and nothing left behind.
#   data.sh BIN_DIR
bin=$1
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh" data

# data CODE ARGUMENT...: its output is in ./out and ./err; a failure says one line and leaves nothing
data() {
  local expected=$1 code before
  shift
  last="ddpm-data $*"
  checks=$((checks + 1))
  before=$(ls -A)
  "$bin/ddpm-data" "$@" >out 2>err
  code=$?
  [ "$code" -eq "$expected" ] || failed "'$last' ended with $code instead of $expected"
  [ "$expected" -eq 0 ] && return
  [ "$before" = "$(ls -A)" ] || failed "'$last' left something behind: $(ls -A)"
  [ "$expected" -eq 64 ] || [ "$(wc -l <err)" -eq 1 ] || failed "'$last' does not say one line"
  [ ! -s out ] || failed "'$last' failed and wrote to standard output"
}
says() { grep -q -e "$1" out || failed "'$last' does not say '$1'"; }
warns() { grep -q -e "$1" err || failed "'$last' does not warn '$1'"; }
bytes() { printf '%b' "$1"; }
touch out err

# IDX: 3 images of 2 x 2
{
  bytes '\0\0\x08\x03\0\0\0\x03\0\0\0\x02\0\0\0\x02'
  bytes '\x01\x02\x03\x04\x11\x12\x13\x14\x21\x22\x23\x24'
} >images
bytes '\0\0\x08\x01\0\0\0\x03\x01\x00\x01' >labels
gzip -k images labels
data 0 import idx images.gz --labels labels.gz --pad 4 --name tiny -o idx.h5
warns '3 images of 4 x 4 x 1 uint8, 2 classes'
data 0 info idx.h5 --verify
says '^name  *tiny$'
says '^images  *3$'
says '4 x 4, 1 channel'
says '(verified)'
data 0 info idx.h5 --json
says '"images": 3,'
says '"content_hash": "sha256:'
hash=$(grep content_hash out)
data 0 import idx images --labels labels --pad 4 -q -o again.h5
[ ! -s err ] || failed "'$last' is not quiet"
data 0 info again.h5 --json
[ "$hash" = "$(grep content_hash out)" ] || failed "the same images have another content hash"

# CIFAR-10: two records
for label in '\x03' '\x09'; do
  bytes "$label"
  head -c 3072 /dev/zero
done >batch.bin
data 0 import cifar10 batch.bin batch.bin -o cifar.h5
warns '4 images of 32 x 32 x 3 uint8, 10 classes'
data 0 info cifar.h5
says '2  truck'

# Shapes, as a grid; the grids as a folder of images
data 0 generate shapes -n 100 --size 16 --seed 4 -o shapes.h5
data 0 info shapes.h5
says 'circle'
data 0 grid shapes.h5 -o shapes.png -n 30
head -c 4 shapes.png >out
says PNG
mkdir -p photos/a photos/b
data 0 grid shapes.h5 -o photos/a/1.png -n 1
data 0 grid shapes.h5 -o photos/b/2.png -n 1 --first 99
data 0 import images photos --size 8 --folder-labels -o photos.h5
warns '2 images of 8 x 8 x 3 uint8, 2 classes'

# HDF5: any array, here our own
data 0 generate gaussian -n 20 --size 8 --channels 2 --mean 0.5 --correlation 0.5 -o gauss.h5
data 0 info gauss.h5
says 'float32'
says 'mean 0.5, std 0.5, correlation 0.5'
data 0 import hdf5 gauss.h5 --object /images --range -2,2 -o stated.h5
data 0 info stated.h5
says '^range  *-2 to 2'
data 0 import hdf5 cifar.h5 --labels /labels -o copy.h5
data 0 info copy.h5 --json
copy=$(grep content_hash out)
data 0 info cifar.h5 --json
[ "$copy" = "$(grep content_hash out)" ] || failed "an imported copy has another content hash"

# The command line
data 0 --help
data 0 --version
for command in import generate info grid; do
  data 0 "$command" --help
  says 'Usage: ddpm-data'
  data 64 "$command"
done
data 64 imprt
warns "did you mean 'import'"
data 64 import bmp images -o x.h5
warns 'formats are idx, cifar10, images, hdf5'
data 64 import idx images
warns 'output is missing'
data 64 import idx images --size 4 -o x.h5
warns '--size means nothing'
data 64 import idx images --pad 1 -o x.h5
data 64 import idx images --labels labels --labels labels -o x.h5
data 64 import images photos -o x.h5
data 64 import hdf5 gauss.h5 --range 2,1 -o x.h5
data 64 generate shapes --mean 1 -o x.h5
data 64 generate gaussian --correlation 1 -o x.h5
data 64 grid idx.h5 --first 3 -o x.png

# Outputs
data 73 import idx images -o idx.h5
warns '--force'
data 0 import idx images --force -o again.h5
data 73 import idx images -o no/such/folder/x.h5
warns 'create the directory first'
data 73 grid idx.h5 -o shapes.png
if [ -w /dev/full ]; then
  checks=$((checks + 1))
  "$bin/ddpm-data" info idx.h5 >/dev/full 2>err
  [ $? -eq 74 ] || failed "a full standard output is not noticed"
fi

# Inputs
data 66 import idx absent -o x.h5
data 66 import images photos/a/none -o x.h5 --size 8
data 66 info absent.h5
data 65 info images
warns 'not an HDF5 file'
head -c 20 images >"cut"
data 65 import idx cut -o x.h5
warns 'truncated'
head -c 40 images.gz >cut.gz
data 65 import idx cut.gz -o x.h5
data 65 import idx batch.bin -o x.h5
data 65 import cifar10 images -o x.h5
head -c 100 photos/a/1.png >photos/b/3.png
data 65 import images photos --size 8 -o x.h5
warns '3.png'
data 0 import images photos --size 8 --skip-broken -o skipped.h5
warns '3.png'
data 65 import hdf5 images -o x.h5
middle=$(($(wc -c <shapes.h5) / 2))
bytes '\xff\x55\xff\x55' | dd of=shapes.h5 bs=1 seek=$middle conv=notrunc status=none
data 65 info shapes.h5 --verify
warns 'shapes.h5'

# A signal: nothing is left
checks=$((checks + 1))
"$bin/ddpm-data" generate shapes -n 100000000 -o long.h5 >out 2>err &
child=$!
for _ in $(seq 100); do
  [ -n "$(find . -name '.long.h5.tmp-*')" ] && break
  sleep 0.1
done
kill -TERM "$child"
wait "$child"
code=$?
[ "$code" -eq 75 ] || failed "an interrupted program ended with $code instead of 75"
[ -z "$(find . -name '*long.h5*')" ] || failed "an interrupted program left $(find . -name '*long*')"

finish 55
