# The machine's clock is set while a run trains. Setting it would hurt more than the run, so the
# source is held against the promise: only what people read may ask for the time of day.
# shellcheck shell=bash disable=SC2034,SC2154
fault="the clock jumps"
promise="monotonic clocks in every decision; the time of day only where people read it"

# file: why it may
allowed="src/base/clock.c: ddpm_clock_utc, for people, and ddpm_clock_unix
src/train/job_end.c: once, at the start: SLURM says by that clock when the job ends
src/app/doctor_clock.c: doctor, which compares clocks
src/app/doctor_measure.c: the same
src/train/run_dir.c: the name that an old run is given
src/train/checkpoint_prune.c: the age of files that a killed save left, against the file system's clock"

no_time_of_day() {
  local uses line file
  uses=$(cd "$root" && grep -rnE '\b(time|gettimeofday|ftime|localtime|mktime) *\(NULL|gettimeofday *\(|CLOCK_REALTIME|TIME_UTC|ddpm_clock_unix *\(' \
    --include='*.c' src tools)
  expect "the search finds nothing at all, not even what is allowed" grep -q 'src/base/clock.c' <<<"$uses"
  while IFS= read -r line; do
    file=${line%%:*}
    grep -q "^$file:" <<<"$allowed" || failed "the time of day is asked for in $line"
  done <<<"$uses"
  outcome "no decision by the time of day"
}
# A wait with a limit is by the clock of its condition variable, which is made in the same file, or in
# the one that it is a part of (watchdog_run.c: watchdog.c).
no_timed_wait_by_time_of_day() {
  local files file makers
  files=$(cd "$root" && grep -rlE 'pthread_cond_timedwait|sem_timedwait|pthread_mutex_timedlock' --include='*.c' src tools)
  expect "no wait with a limit is found, not even those that there are" [ -n "$files" ]
  for file in $files; do
    makers=("$root/$file")
    [ ! -e "$root/${file%_*}.c" ] || makers+=("$root/${file%_*}.c")
    if ! grep -q 'ddpm_clock_condition(\|pthread_condattr_setclock(.*CLOCK_MONOTONIC' "${makers[@]}" ||
      grep -q 'pthread_cond_init([^,]*, NULL)\|PTHREAD_COND_INITIALIZER' "${makers[@]}"; then
      failed "$file waits by the time of day"
    fi
  done
  outcome "waits are by the monotonic clock"
}

row() {
  : >out && : >err
  try no_time_of_day
  try no_timed_wait_by_time_of_day
}
