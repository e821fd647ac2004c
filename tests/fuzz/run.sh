#!/usr/bin/env bash
# Fuzzes every reader of files with libFuzzer under ASan and UBSan.
#   tests/fuzz/run.sh [--minutes M] [--jobs J] [--out FOLDER] [FORMAT...]
# Each FORMAT (all of them by default) for M minutes (20), J at a time (1). Beginning from
# corpus/FORMAT, what is new goes to FOLDER/FORMAT/corpus (build/fuzz/out), what was found to
# FOLDER/FORMAT/findings. A line a target; exit 1 with any finding.
set -euo pipefail
cd "$(dirname "$0")/../.."
usage() { sed -n '2,6s/^# \{0,1\}//p' tests/fuzz/run.sh; }
minutes=20 jobs=1 out=build/fuzz/out
while [ $# -gt 0 ]; do
  case "$1" in
    --minutes) minutes=${2:?--minutes needs a number}; shift 2 ;;
    --jobs) jobs=${2:?--jobs needs a number}; shift 2 ;;
    --out) out=${2:?--out needs a folder}; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; exit 64 ;;
    *) break ;;
  esac
done
all=(config metrics idx cifar png jpeg safetensors hdf5 dataset checkpoint resealed)
[ $# -gt 0 ] || set -- "${all[@]}"
for format in "$@"; do
  [ -d "tests/fuzz/corpus/$format" ] || { echo "tests/fuzz/run.sh: there is no format $format" >&2; exit 64; }
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { cmake --preset fuzz && cmake --build --preset fuzz --target "${@/#/fuzz_}"; } >"$log" 2>&1; then
  tail -n 40 "$log"
  echo "tests/fuzz/run.sh: the fuzz build failed" >&2
  exit 1
fi

# The largest input of a format: what its interesting structures need, and little more. HDF5 itself
# asks for whatever a file claims, without touching it, and copes with a refusal, as ASan gives it
# above 256 MiB; we must not ask for more than 64.
limits() {
  case "$1" in
    cifar) echo -max_len=8192 -malloc_limit_mb=64 ;;
    hdf5 | dataset | resealed) echo -max_len=16384 -malloc_limit_mb=16777216 ;;
    checkpoint) echo -max_len=16384 -malloc_limit_mb=64 ;;
    *) echo -max_len=4096 -malloc_limit_mb=64 ;;
  esac
}

fuzz() { # FORMAT
  local format=$1 folder=$out/$1 dictionary=() status=0 temporary
  mkdir -p "$folder/corpus" "$folder/findings"
  : >"$folder/screened"
  cp build/fuzz/tests/bin/fuzz_"$format" "$folder/target"
  temporary=$(mktemp -d -p /dev/shm)
  [ -f "tests/fuzz/$format.dict" ] && dictionary=("-dict=tests/fuzz/$format.dict")
  # shellcheck disable=SC2046 # two words
  # In fork mode a child ends now and then, and with it what HDF5 lost of its memory.
  TMPDIR=$temporary OMP_NUM_THREADS=1 ASAN_OPTIONS=handle_abort=1:allocator_may_return_null=1:max_allocation_size_mb=256 \
    DDPM_FUZZ_SCREENED=$folder/screened \
    "$folder/target" "$folder/corpus" "tests/fuzz/corpus/$format" \
    "${dictionary[@]}" -max_total_time=$((minutes * 60)) $(limits "$format") \
    -fork=1 -ignore_crashes=1 -ignore_timeouts=1 -ignore_ooms=1 \
    -rss_limit_mb=2048 -timeout=10 -artifact_prefix="$folder/findings/" \
    >"$folder/log" 2>&1 || status=$?
  rm -rf "$temporary"
  local last findings screened lost
  screened=$(wc -l <"$folder/screened")
  # libFuzzer does not count what such a process had done before.
  lost=$(awk '{ n += $1 } END { print n + 0 }' "$folder/screened")
  # "#1234: cov: 56 ft: 78 corp: 9 exec/s 10 oom/timeout/crash: 0/0/0 time: 12s ..."
  last=$(grep -a '^#[0-9]*: cov:' "$folder/log" | tail -n 1 || true)
  findings=$(find "$folder/findings" -type f | wc -l)
  awk -v format="$format" -v findings="$findings" -v screened="$screened" -v lost="$lost" '{
      sub("#", "", $1); sub(":", "", $1)
      printf "%-11s %10d executions  %5d edges  %5d features  %4d inputs  %d findings",
        format, $1 + lost, $3, $5, $7, findings
      print (screened ? "  (" screened " crashes within libhdf5)" : "") }' <<<"${last:-#0: cov: 0 ft: 0 corp: 0}"
  [ "$status" -eq 0 ] && [ -n "$last" ] && [ "$findings" -eq 0 ]
}

main() { # a function, so that the script may be edited while it runs
  local failed=0 running=0 format
  for format in "$@"; do
    if [ "$running" -ge "$jobs" ]; then
      wait -n || failed=1
      running=$((running - 1))
    fi
    fuzz "$format" &
    running=$((running + 1))
  done
  while [ "$running" -gt 0 ]; do
    wait -n || failed=1
    running=$((running - 1))
  done
  [ "$failed" -eq 0 ] || echo "findings, or logs of what failed: $out/*/" >&2
  exit "$failed"
}
main "$@"
