#!/usr/bin/env bash
# A cluster of network namespaces on this machine: nodes with addresses, host names and /dev/shm of
# their own, on one bridge, whose links may be shaped. As root; needs iproute2 and Open MPI.
#   netns.sh up N [RATE]        makes N nodes; RATE as tc(8) has it (1gbit), none: as fast as it goes
#   netns.sh rate RATE          changes the links
#   netns.sh run RANKS RANKS_PER_NODE COMMAND...    mpirun over the first nodes, one after another
#   netns.sh down               removes all of it
# NETNS_NAME (default ddpm) names nodes and bridge, NETNS_NET (default 10.79.0) their network.
set -euo pipefail
self=$(realpath "$0")
name=${NETNS_NAME:-ddpm} net=${NETNS_NET:-10.79.0}
die() { echo "netns: $*" >&2; exit "${code:-78}"; }
usage() { sed -n '2,8s/^# \{0,1\}//p' "$self"; }
nodes() { ip netns list | awk -v n="$name" '$1 ~ "^" n "-[0-9]+$" { print $1 }' | sort -V; }
# tbf delays what exceeds the rate; bursts of 256 KiB keep segmentation offload working.
shape() { # RATE NODE
  local number=${2#"$name"-} where
  for where in "tc" "ip netns exec $2 tc"; do
    local device=$name"v"$number
    [ "$where" = tc ] || device=eth0
    if [ "$1" != none ]; then
      $where qdisc replace dev "$device" root tbf rate "$1" burst 256k latency 50ms
    elif $where qdisc show dev "$device" root | grep -q ' tbf '; then
      $where qdisc del dev "$device" root
    fi
  done
}

command=${1:-}
[ $# -gt 0 ] && shift
case "$command" in
  -h | --help) usage; exit 0 ;;
  up | down | rate | run | rsh) ;;
  *) usage >&2; exit 64 ;;
esac
[ "$(id -u)" -eq 0 ] || code=77 die "network namespaces take root"
for tool in ip tc; do
  command -v $tool >/dev/null || code=69 die "no $tool: apt-get install iproute2"
done

case "$command" in
  up)
    count=${1:?netns.sh up N [RATE]} rate=${2:-none}
    [ -z "$(nodes)" ] || die "there are nodes already: $(nodes | tr '\n' ' '); netns.sh down removes them"
    trap '[ $? -eq 0 ] || "$self" down' EXIT
    ip link add "${name}br" type bridge
    ip link set "${name}br" up
    ip addr add "$net.254/24" dev "${name}br"
    for i in $(seq "$count"); do
      ip netns add "$name-$i"
      ip link add "${name}v$i" type veth peer name eth0 netns "$name-$i"
      ip link set "${name}v$i" master "${name}br" up
      ip -n "$name-$i" addr add "$net.$i/24" dev eth0
      ip -n "$name-$i" link set eth0 up
      ip -n "$name-$i" link set lo up
      shape "$rate" "$name-$i"
    done ;;
  rate)
    [ -n "$(nodes)" ] || die "there are no nodes; netns.sh up makes them"
    for node in $(nodes); do shape "${1:?netns.sh rate RATE}" "$node"; done ;;
  down)
    for node in $(nodes); do ip netns del "$node"; done
    if ip link show "${name}br" >/dev/null 2>&1; then ip link del "${name}br"; fi ;;
  run)
    [ $# -ge 3 ] || { usage >&2; exit 64; }
    ranks=$1 each=$2
    shift 2
    hosts=$(nodes | head -n $(((ranks + each - 1) / each)) | sed "s/\$/:$each/" | paste -sd,)
    [ "$(tr ',' '\n' <<<"$hosts" | grep -c .)" -eq $(((ranks + each - 1) / each)) ] ||
      die "$ranks ranks, $each a node, need more nodes than there are"
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    # shellcheck source=launch/mpi-keepalive.sh
    . "$(dirname "$self")/../../launch/mpi-keepalive.sh"
    exec mpirun --mca plm rsh --mca plm_rsh_agent "$self rsh" --mca plm_rsh_no_tree_spawn 1 \
      --mca btl tcp,self,vader --mca btl_tcp_if_include "$net.0/24" \
      --mca oob_tcp_if_include "$net.0/24" --bind-to none \
      --mca mpi_yield_when_idle $((ranks > $(nproc))) \
      -np "$ranks" --host "$hosts" "$@" ;;
  rsh) # what mpirun calls as its remote shell: [OPTION...] NODE COMMAND...
    while [[ ${1:-} == -* ]]; do shift; done
    node=$1
    shift
    exec ip netns exec "$node" unshare --mount --uts --propagation private \
      sh -c "hostname $node && mount -t tmpfs shm /dev/shm && $*" ;;
esac
