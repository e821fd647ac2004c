# shellcheck shell=bash
# Sourced by every script that calls mpirun. A link that is lost sends nothing, not even an error:
# Open MPI 4.1 would wait for a quarter of an hour and more. Its daemons ask for a sign of life after
# 5 s of silence and every 2 s then; after 3 without an answer the job ends: within 30 s at most.
export OMPI_MCA_oob_tcp_keepalive_time=${OMPI_MCA_oob_tcp_keepalive_time:-5}
export OMPI_MCA_oob_tcp_keepalive_intvl=${OMPI_MCA_oob_tcp_keepalive_intvl:-2}
export OMPI_MCA_oob_tcp_keepalive_probes=${OMPI_MCA_oob_tcp_keepalive_probes:-3}
