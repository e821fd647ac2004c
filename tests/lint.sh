#!/usr/bin/env bash
# tests/lint.sh BUILD_DIR: formatting of the sources, clang-tidy by the compile commands, the links
# of the documents, and shellcheck of the scripts. BUILD_DIR must have been configured with clang.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: tests/lint.sh BUILD_DIR}
mapfile -t sources < <(git ls-files '*.c' '*.h')
[ ${#sources[@]} -ge 20 ] || { echo "lint: only ${#sources[@]} sources found" >&2; exit 1; }
clang-format --dry-run -Werror "${sources[@]}"
mapfile -t scripts < <(git ls-files '*.sh' '*.sbatch' .ci/run)
shellcheck --severity=warning "${scripts[@]}"
tests/lint_links.py .
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! run-clang-tidy -quiet -p "$build" '/(src|tools|tests)/.*\.c$' >"$log" 2>/dev/null; then
  grep -E 'error:|warning:' -A 4 "$log" | head -n 60
  echo "lint: clang-tidy is not content" >&2
  exit 1
fi
