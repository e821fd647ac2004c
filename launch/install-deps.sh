#!/usr/bin/env bash
# Installs the Debian 12 packages that are missing, and nothing where none is.
#   launch/install-deps.sh            what building and running takes
#   launch/install-deps.sh --tests    and what the tests take
set -euo pipefail

packages=(gcc g++ cmake ninja-build pkg-config libopenmpi-dev openmpi-bin libopenblas-dev
  libhdf5-dev libpng-dev libjpeg62-turbo-dev zlib1g-dev libssl-dev libinih-dev libjansson-dev
  libxxhash-dev scdoc dataset-fashion-mnist)
case "${1:-}" in
  "") ;;
  --tests) packages+=(libcmocka-dev clang clang-format clang-tidy clang-tools llvm libomp-dev
    libclang-rt-14-dev hdf5-tools strace shellcheck
    # The tests' own SLURM cluster. Without an /etc/slurm/slurm.conf none of its services starts.
    slurmctld slurmd slurm-client munge libpmix-dev iproute2 procps) ;;
  *) sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
    missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "install-deps: neither root nor sudo; ask your administrator for: ${missing[*]}" >&2
    exit 77
  }
  as_root=(sudo)
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for attempt in 1 2 3; do
  if { "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
      --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    exit 0
  fi
  echo "install-deps: attempt $attempt failed" >&2
  sleep $((attempt * 5))
done
tail -n 20 "$log" >&2
echo "install-deps: apt-get could not install: ${missing[*]}" >&2
exit 69
