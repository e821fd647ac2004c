# A disk that fills, and calls that fail, while checkpoints are written.
# shellcheck shell=bash disable=SC2034,SC2154
fault="disk full, quota, EIO while a checkpoint is written"
promise="a warning, training goes on, retries with growing pauses; after checkpoint.attempts failures in a row exit 74 with the old checkpoints intact; no crash"
impatient=(--set checkpoint.attempts=3 --set checkpoint.retry=0.2)

mount_small() { # MiB
  mkdir -p small
  mount -t tmpfs -o "size=${1}m" tmpfs small || { failed "cannot mount a tmpfs"; return 1; }
}

# Room for 0 to 5 checkpoints beside what fills the rest; three are kept, a fourth is in the making.
# In every other trial somebody makes room once the program has complained.
fill_level() { # INDEX
  local levels=50 bytes room code
  [ -n "$full" ] || levels=2
  mount_small 16 || return
  bytes=$(stat -c %s "$(reference_of 20)")
  draw room 0 $((bytes / 8))
  room=$((room + bytes * 5 * ($1 - 1) / levels))
  head -c $((16 * 1024 * 1024 - room)) /dev/zero >small/filler 2>/dev/null
  last="a disk with $room bytes left"
  begin --run small/run "${impatient[@]}" --set train.steps=20 --set checkpoint.every=2
  if [ $(($1 % 2)) -eq 0 ]; then
    while kill -0 "$job" 2>/dev/null && ! grep -q 'not written' err; do sleep 0.02; done
    rm small/filler
  fi
  checks=$((checks + 1))
  wait "$job"
  code=$?
  case $code in
    0) if grep -q 'checkpoint not written' err; then outcome "ended well after warnings"; else outcome "ended well"; fi ;;
    74) outcome "gave up with 74"; says 'No space left on device' ;;
    *) failed "'$last' ended with $code" ;;
  esac
  if [ $(($1 % 2)) -eq 0 ] && [ -d small/run/checkpoints ]; then
    expect "there was room again, and '$last' gave up" [ "$code" -eq 0 ]
  fi
  rm -f small/filler
  all_verify small/run
  train 0 --run small/run --set train.steps=20
  silent 'skipping a checkpoint'
  as_reference small/run
  umount small
}

one_call_fails() { # CALL:error=ERROR:when=N:STEP|directory, in a run to step 6
  local place=${1##*:} fault=${1%:*}
  traced 0 "$place" "$fault" "${impatient[@]}" --set train.steps=6 --set checkpoint.every=4
  says 'warning: checkpoint not written'
  outcome "failed ${1%%:*}, warned and went on"
  all_verify run
  as_reference run
}
all_calls_fail() { # CALL:error=ERROR
  train 0 --run run --set train.steps=2
  traced 74 directory "$1" "${impatient[@]}" --set train.steps=20 --set checkpoint.every=2
  says 'warning: .*checkpoint not written'
  outcome "gave up with 74"
  expect "the checkpoint from before is gone" [ -e run/checkpoints/step-000000002.h5 ]
  all_verify run
  train 0 --run run --set train.steps=20
  as_reference run
}

row() {
  need_root "mounting a small disk" || return
  prepare 20 2
  make_reference 20
  trials 2 50 fill_level
  each one_call_fails -- write:error=ENOSPC:when=2:4 rename:error=EIO:when=1:4
  if [ -n "$full" ]; then
    each one_call_fails -- write:error=ENOSPC:when=1:4 write:error=EDQUOT:when=2:4 \
      write:error=EIO:when=1:4 write:error=EIO:when=2:4 fsync:error=EIO:when=1:4 \
      fsync:error=ENOSPC:when=1:4 fsync:error=EDQUOT:when=1:4 close:error=EIO:when=1:4 \
      close:error=ENOSPC:when=1:4 close:error=EDQUOT:when=1:4 rename:error=ENOSPC:when=1:4 \
      rename:error=EDQUOT:when=1:4 openat:error=ENOSPC:when=1:4 openat:error=EDQUOT:when=1:4 \
      openat:error=EIO:when=1:4 fsync:error=EIO:when=1:directory
  fi
  each all_calls_fail -- fsync:error=EIO
}
