#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.
#   tests/run.sh [--quick] [--filter REGEX]
# --quick leaves out the sanitizer and clang builds and the linters; --filter runs the tests of the
# release build whose names match, and nothing else. Exit 0 only if everything passed.
set -euo pipefail
cd "$(dirname "$0")/.."
quick="" filter=""
while [ $# -gt 0 ]; do
  case "$1" in
    --quick) quick=1; shift ;;
    --filter) filter=${2:?--filter needs a regular expression}; shift 2 ;;
    -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
  esac
done
cores=$(nproc)
started=$SECONDS
step() { printf '\n== %s  (%d s so far)\n' "$*" $((SECONDS - started)); }
build() { # PRESET [CMAKE ARGUMENT...]
  local preset=$1 log
  shift
  log=$(mktemp)
  if ! { cmake --preset "$preset" "$@" && cmake --build --preset "$preset" --parallel "$cores"; } >"$log" 2>&1; then
    grep -E -A 8 'error|warning|FAILED' "$log" | head -n 60 || tail -n 40 "$log"
    rm -f "$log"
    echo "tests/run.sh: the $preset build failed" >&2
    exit 1
  fi
  rm -f "$log"
}

step "packages"
launch/install-deps.sh --tests

step "release build by gcc, warnings as errors"
build release -DCMAKE_COMPILE_WARNING_AS_ERROR=ON -DDDPM_BUILD_TESTS=ON
if [ -n "$filter" ]; then
  exec ctest --preset release --parallel "$cores" -R "$filter"
fi
step "release tests"
ctest --preset release --parallel "$cores"
[ -n "$quick" ] && exit 0

step "debug build with address and undefined-behaviour sanitizers"
build debug
# MPI and BLAS keep memory to the end of the process: leaks are looked for in the layers without.
step "unit tests and corpora of the fuzzers under the sanitizers"
ctest --preset debug --parallel "$cores" -L 'unit|fuzz'
step "leaks of every program"
tests/leaks.sh build/debug
step "threads under ThreadSanitizer"
tests/tsan.sh

step "clang build, warnings as errors"
build clang
step "unit tests of the clang build"
ctest --preset clang --parallel "$cores" -L unit

step "public headers compile alone"
cmake --build --preset release --target all_verify_interface_header_sets >/dev/null
step "clang-format, clang-tidy, shellcheck"
tests/lint.sh build/clang
step "everything passed"
