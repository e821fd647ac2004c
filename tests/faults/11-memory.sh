# Less memory than the plan wants.
# shellcheck shell=bash disable=SC2034,SC2154
fault="too little memory: the machine's, the cgroup's"
promise="refused at the start with 71 and the numbers, before anything large is allocated"

refused() {
  says 'ranks on this node need .*B in all'
  says "$1 may be used"
  silent '^step 1/'
  expect "a run directory was made for a run that cannot be" [ ! -e run ]
  outcome "refused with the numbers"
}
more_than_the_machine() {
  train 71 --run run --set model.channels=2048 --set model.groups=32 --set train.micro_batch=4 \
    --set ema.rates=0.9,0.99,0.999,0.9999
  refused 'iB'
}
# A control group of our own below the one we are in, version 1 or 2.
in_a_cgroup() { # MiB RANKS
  local group file
  group=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
  if [ -n "$group" ]; then
    group=/sys/fs/cgroup/memory$group/ddpm-faults-$$ file=memory.limit_in_bytes
  else
    group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/ddpm-faults-$$ file=memory.max
  fi
  if ! mkdir "$group" 2>/dev/null || ! echo $(($1 << 20)) 2>/dev/null >"$group/$file"; then
    rmdir "$group" 2>/dev/null
    outcome "no cgroup can be made here: not tried"
    return
  fi
  # shellcheck disable=SC2016
  run 71 timeout -k 5 $bound sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' sh "$group" \
    mpirun -n "$2" "$bin/ddpm-dist" train --config tiny.ini --run run --set model.channels=256 \
    --set train.micro_batch=2
  refused "$1"'\(\.0*\)\{0,1\} MiB'
  # In the same group, what fits is trained.
  # shellcheck disable=SC2016
  run 0 timeout -k 5 $bound sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' sh "$group" \
    mpirun -n "$2" "$bin/ddpm-dist" train --config tiny.ini --run run --set train.steps=1
  local i
  for ((i = 0; i < 100; i++)); do rmdir "$group" 2>/dev/null && break; sleep 0.05; done
}

row() {
  prepare
  try more_than_the_machine
  try in_a_cgroup 500 1
  try in_a_cgroup 500 2
}
