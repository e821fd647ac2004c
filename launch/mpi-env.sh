# shellcheck shell=bash
# Sourced by the scripts that call mpirun on one machine. What Open MPI 4.1 needs said there: it
# refuses root, more ranks than cores, and busy-waits.
# shellcheck source=launch/mpi-keepalive.sh
. "$(dirname "${BASH_SOURCE[0]}")/mpi-keepalive.sh"
if [ "$(id -u)" -eq 0 ]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
export OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_hwloc_base_binding_policy=none # threads per rank are ours to place
export OMPI_MCA_btl_base_warn_component_unused=0
export OMP_WAIT_POLICY=passive
