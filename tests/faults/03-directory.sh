# A run directory that cannot be written or made.
# shellcheck shell=bash disable=SC2034,SC2154
fault="read-only or missing directory"
promise="exit 73 before the first step, naming the path and the remedy"

refused() { # PATH REMEDY [COMMAND BEFORE...]
  local path=$1 remedy=$2
  shift 2
  run 73 timeout -k 5 $bound "$@" --config tiny.ini --run "$path"
  says "${path%%/run*}"
  says "$remedy"
  silent '^step 1/'
  outcome "refused with 73"
}
refuse_case() {
  local ours=("$bin/ddpm-dist" train)
  # Root may write anywhere; nobody may not. A copy, for nobody may not see ours either.
  cp "$bin/ddpm-dist" ./ddpm-dist-of-nobody
  local nobody=(env HOME=/tmp setpriv --reuid 65534 --regid 65534 --clear-groups ./ddpm-dist-of-nobody train)
  case $1 in
    no-such-place) refused /proc/nowhere/run 'another\|choose\|create\|directory' "${ours[@]}" ;;
    file-in-the-way)
      echo text >run
      refused run/run 'not a directory\|another' "${ours[@]}"
      ;;
    read-only-disk)
      mkdir -p runro && mount -t tmpfs -o ro tmpfs runro
      refused runro/run 'another\|can be written' "${ours[@]}"
      umount runro
      ;;
    disk-became-read-only)
      mkdir -p runro && mount -t tmpfs tmpfs runro
      train 0 --run runro/run --set train.steps=2
      mount -o remount,ro runro
      refused runro/run 'another\|can be written' "${ours[@]}" --set train.steps=4
      umount runro
      ;;
    not-permitted)
      mkdir -m 755 runroot
      refused runroot/run 'another\|permissions' "${nobody[@]}"
      ;;
    checkpoints-not-permitted)
      train 0 --run run --set train.steps=2
      rm -f run/done
      chmod 777 run && chmod 666 run/lock
      refused run 'permissions\|writable' "${nobody[@]}" --set train.steps=4
      ;;
  esac
  rm -f ./ddpm-dist-of-nobody
}

row() {
  need_root "mounts and other users" || return
  prepare 2
  each refuse_case -- no-such-place file-in-the-way read-only-disk disk-became-read-only not-permitted \
    checkpoints-not-permitted
}
