#!/usr/bin/env bash
# A SLURM cluster of virtual nodes on this machine, without systemd and without a trace outside DIR:
#   slurm.sh up DIR [NODES [CPUS]]   brings up n1, n2, ... (default: 4 nodes of 4 CPUs); clients then
#                                    need SLURM_CONF=DIR/slurm.conf
#   slurm.sh kill DIR NODE           what a power cut does to a node
#   slurm.sh boot DIR NODE           brings it back
#   slurm.sh down DIR                ends every process of the cluster, running jobs too
# A node is a slurmd in PID, mount and UTS namespaces of its own: it has a host name, a /dev/shm and
# a process 1, with whose death everything on the node dies. File systems and network are shared.
# As root; needs slurmctld, slurmd, slurm-client, munge, iproute2; libpmix-dev for srun --mpi=pmix.
set -euo pipefail
die() { echo "slurm.sh: $*" >&2; exit "${code:-70}"; }
usage() { sed -n '2,10s/^# \{0,1\}//p' "$0"; }
PATH=$PATH:/usr/sbin:/sbin

command=${1:-}
case "$command" in
  -h | --help) usage; exit 0 ;;
  up | kill | boot | down) [ $# -ge 2 ] || { usage >&2; exit 64; } ;;
  *) usage >&2; exit 64 ;;
esac
dir=$(realpath -m "$2")
shift 2
export SLURM_CONF=$dir/slurm.conf

# A process is known by its PID and the time of its start, so that a PID used again is not killed.
birth() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
remember() { echo "$2 $(birth "$2")" >"$dir/pid/$1"; }
recall() { # NAME: its PID, if it is alive
  local pid born
  read -r pid born <"$dir/pid/$1" 2>/dev/null || return 1
  [ -n "$born" ] && [ "$(birth "$pid")" = "$born" ] && echo "$pid"
}
await() { # SECONDS COMMAND...
  local tries=$(($1 * 20))
  shift
  until "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    sleep 0.05
  done
}
# daemon NAME COMMAND...: in a session of its own, its words in log/NAME
daemon() {
  setsid "${@:2}" >>"$dir/log/$1" 2>&1 </dev/null &
  remember "$1" $!
}
gone() { ! recall "$1" >/dev/null; }

boot() {
  # shellcheck disable=SC2016
  daemon "$1" unshare --mount --uts --pid --fork --kill-child --mount-proc --propagation private \
    bash -c 'hostname "$1" && mount -t tmpfs shm /dev/shm && { slurmd -D -N "$1" & wait $!; }' \
    node "$1"
}
node_init() { # the node's process 1, as this machine numbers it
  local outer
  outer=$(recall "$1") && tr -d ' ' <"/proc/$outer/task/$outer/children"
}
kill_node() {
  local init
  init=$(node_init "$1") && [ -n "$init" ] || die "$1 is not up"
  kill -KILL "$init"
  await 10 gone "$1" || die "$1 does not die"
}
# COUNT ports in a row that nobody listens at
free_ports() {
  local base try
  for try in $(seq 100); do
    base=$((20000 + (RANDOM + try) % 10000))
    ss -Htln | awk -v a="$base" -v n="$1" '{ sub(/.*:/, "", $4); p = $4 + 0
      if (p >= a && p < a + n) taken = 1 } END { exit taken }' && echo "$base" && return
  done
  die "no $1 free ports in a row"
}

configure() { # NODES CPUS
  local port i
  port=$(free_ports $(($1 + 1)))
  cat >"$SLURM_CONF" <<CONF
ClusterName=virtual
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that is requeued may not start again before its old credential has expired: 120 s by default.
AuthInfo=socket=$dir/munge/socket,cred_expire=5
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0,batch_sched_delay=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobRequeue=1
ReturnToService=2
KillWait=5
OverTimeLimit=0
MinJobAge=600
InactiveLimit=0
SlurmctldTimeout=30
SlurmdTimeout=10
UnkillableStepTimeout=20
# Nodes claim more processors than the machine has.
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE
SlurmctldPidFile=$dir/slurmctld.pid
SlurmctldLogFile=$dir/log/slurmctld.log
StateSaveLocation=$dir/state
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmdLogFile=$dir/log/slurmd-%n.log
SlurmdSpoolDir=$dir/spool-%n
TmpFS=$dir/tmp-%n
PartitionName=main Nodes=n[1-$1] Default=YES MaxTime=INFINITE DefaultTime=10 State=UP
CONF
  for i in $(seq "$1"); do
    echo "NodeName=n$i NodeHostname=n$i NodeAddr=127.0.0.1 Port=$((port + i)) CPUs=$2" \
      "Boards=1 Sockets=1 CoresPerSocket=$2 ThreadsPerCore=1 RealMemory=1000 State=UNKNOWN"
  done >>"$SLURM_CONF"
  printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n' >"$dir/cgroup.conf"
}
munge_answers() { munge -S "$dir/munge/socket" -n 2>/dev/null | unmunge -S "$dir/munge/socket" >/dev/null 2>&1; }
are_idle() { [ "$(timeout 5 sinfo -h -t idle -o %D 2>/dev/null)" = "$1" ]; }

up() { # NODES CPUS
  local i
  [ "$(id -u)" -eq 0 ] || code=77 die "a SLURM cluster takes root: namespaces, and slurmd"
  unshare --mount --uts --pid --fork true || code=77 die "this root may not make namespaces"
  for i in slurmctld slurmd sinfo munged ss; do
    command -v $i >/dev/null || code=69 die "no $i: launch/install-deps.sh --tests"
  done
  [ ! -e "$SLURM_CONF" ] || die "there is a cluster in $dir already; slurm.sh down $dir ends it"
  mkdir -p "$dir"/{log,pid,state,munge}
  chmod 755 "$dir"
  chmod 711 "$dir/munge"
  trap '[ $? -eq 0 ] || { tail -n 5 "$dir"/log/* >&2; down; }' EXIT
  (umask 077 && head -c 128 /dev/urandom >"$dir/munge/key")
  daemon munged munged --foreground --force --key-file="$dir/munge/key" \
    --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" --log-file="$dir/log/munged.log" \
    --seed-file="$dir/munge/seed"
  await 10 munge_answers || die "munged does not answer"
  configure "$1" "$2"
  daemon slurmctld slurmctld -D -c -i -f "$SLURM_CONF"
  for i in $(seq "$1"); do
    mkdir -p "$dir/spool-n$i" "$dir/tmp-n$i"
    boot "n$i"
  done
  await 30 are_idle "$1" || die "the nodes did not come up: $(sinfo -N -l 2>&1 || true)"
}

# Nodes first: no job sees its controller go. Nothing of a node outlives its process 1.
down() {
  local file name pid
  for file in "$dir"/pid/n[0-9]*; do
    name=${file##*/}
    if pid=$(node_init "$name") && [ -n "$pid" ]; then kill -KILL "$pid" 2>/dev/null || true; fi
  done
  for name in slurmctld munged; do
    if pid=$(recall "$name"); then kill -TERM "$pid" 2>/dev/null || true; fi
  done
  for file in "$dir"/pid/*; do
    name=${file##*/}
    [ -e "$file" ] || continue
    if ! await 5 gone "$name"; then kill -KILL "$(recall "$name")" 2>/dev/null || true; fi
  done
  rm -rf "$dir"/pid "$SLURM_CONF"
}

case "$command" in
  up) up "${1:-4}" "${2:-4}" ;;
  kill) kill_node "${1:?slurm.sh kill DIR NODE}" ;;
  boot) gone "${1:?slurm.sh boot DIR NODE}" || die "$1 is up"; boot "$1" ;;
  down) down ;;
esac
