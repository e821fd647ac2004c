# shellcheck shell=bash disable=SC2154
# Sourced with `root` set, the folder above this one; sets `bin`, the folder of the programs: what
# DDPM_BIN names, or the build's, or the installed one, or that of PATH. Fails where there is none.
bin=${DDPM_BIN:-}
if [ -z "$bin" ]; then
  for bin in "$root/build/release/bin" "$root/../../bin" \
    "$(dirname "$(command -v ddpm-dist || echo /none/x)")"; do
    [ -x "$bin/ddpm-dist" ] && break
  done
fi
[ -x "$bin/ddpm-dist" ]
