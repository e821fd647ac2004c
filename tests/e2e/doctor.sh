#!/usr/bin/env bash
# What `ddpm-dist doctor` says of good and bad places: alone, on several ranks, with bad environments,
# directories, configurations and arguments. No check of a time or a speed is held to a number.
#   doctor.sh BIN_DIR MPIRUN...
bin=$1
shift
mpirun=("$@")
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh" doctor

doctor() { run "$1" "$bin/ddpm-dist" doctor "${@:2}"; }
# ranks N CODE ARGUMENT...
ranks() { run "$2" "${mpirun[@]}" "$1" "$bin/ddpm-dist" doctor "${@:3}"; }
# with NAME=VALUE CODE ARGUMENT...
with() { run "$2" env "$1" "$bin/ddpm-dist" doctor "${@:3}"; }

cat >tiny.ini <<'INI'
[data]
path = shapes.h5
[model]
channels = 16
channel_mult = 1,2
blocks = 1
attention = 8
groups = 4
[train]
batch = 8
micro_batch = 2
steps = 4
threads = 1
[sample]
every = 0
INI
run 0 "$bin/ddpm-data" generate shapes -n 16 --size 16 -o shapes.h5

echo "- alone"
doctor 0
for check in ranks program configuration binding cores numa environment instructions blas speed \
  transport overlap sums single-copy memory shared-memory huge-pages limits clock data run lock \
  durability; do
  says "^\(ok\|warning\) *$check  *[a-zA-Z0-9./]"
done
says '^ok *ranks *1 on 1 node, 1 a node; started alone'
says '^ok *sums *one rank'
says ' ok, [0-9]* warnings\{0,1\}, 0 errors: '
silent '^error'

echo "- on several ranks, with a configuration"
ranks 2 0 --config tiny.ini --run runs/new
says '^ok *ranks *2 on 1 node, 2 a node; started by mpirun'
says 'the same on all$\|the same on all ranks'
says '^ok *configuration *4 micro-batches a step, up to 2 a rank'
says '^\(ok\|warning\) *sums .*64.0 MiB in\|^warning *sums *summing this configuration'
says "the node's 2 ranks need\|need .*only .* free"
says '^ok *data *every rank can read it'
says '^\(ok\|warning\) *run *runs/new '
says 'flock and O_EXCL keep other jobs out'
says 'a checkpoint in'
same "left behind" "$(find . -name '.ddpm-doctor*' -o -name runs | wc -l)" 0
threads=$(nproc) # of each of three ranks: more than there are cores
ranks 3 0 --set train.threads="$threads"
says "^warning *cores *$((3 * threads)) threads of 3 ranks share"

echo "- as JSON"
ranks 2 0 --config tiny.ini --json
same "ranks" "$(sed -n 's/^  "ranks": \([0-9]*\),$/\1/p' out)" 2
same "errors" "$(field errors)" 0
same "exit code" "$(field exit_code)" 0
same "checks" "$(grep -c '"verdict": "\(ok\|warning\)"' out)" \
  "$(awk -F'[:,]' '/^  "(ok|warnings)"/ { n += $2 } END { print n }' out)"
same "first and last character" "$(head -c 1 out)$(tail -c 2 out | head -c 1)" "{}"
silent ' ok, '

echo "- a bad environment"
with OPENBLAS_NUM_THREADS=1 0
silent OPENBLAS_NUM_THREADS
silent 'is past'
best=$(sed -n 's/^ok *instructions *\([a-z0-9]*\),.*/\1/p' out)
run 0 env OPENBLAS_NUM_THREADS=7 OPENBLAS_CORETYPE=Prescott OMP_NUM_THREADS=77 DDPM_ISA=generic \
  SLURM_JOB_END_TIME=1000000000 "$bin/ddpm-dist" doctor
says '^warning *environment *OPENBLAS_NUM_THREADS=7 counts for nothing'
says ' -> unset it'
says '^warning *environment *OPENBLAS_CORETYPE=Prescott makes'
says '^warning *environment *OMP_NUM_THREADS=77 counts for nothing'
says "^warning *clock *SLURM's end of the job is past"
if [ "$best" != generic ]; then
  says "^warning *instructions *the kernels run generic, and this processor has $best"
  says 'unset DDPM_ISA'
fi
with DDPM_ISA=mmx 78
says '^error *instructions .*DDPM_ISA=mmx'

echo "- a launcher that started more than MPI knows"
with SLURM_NTASKS=4 78
says '^error *ranks *SLURM gave this job 4 tasks'
with SLURM_STEP_NUM_TASKS=4 78
says '^error *ranks *srun started 4 processes .* but MPI sees 1'
says 'mpi=pmix'
with PMI_SIZE=2 78 --json
same "check" "$(field check)" ranks
same "exit code" "$(field exit_code)" 78
run 78 env SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=3 "$bin/ddpm-dist" doctor
same "what the other tasks say" "$(cat out err | wc -c)" 0
run 0 env SLURM_NTASKS=5 "${mpirun[@]}" 2 "$bin/ddpm-dist" doctor
says '^warning *ranks *SLURM gave this job 5 tasks (SLURM_NTASKS), and mpirun started 2 ranks'

echo "- training asks the same"
run 78 env SLURM_NTASKS=4 "$bin/ddpm-dist" train --config tiny.ini --run taken
says 'SLURM gave this job 4 tasks'
same "a run that was refused" "$(find . -name taken | wc -l)" 0
run 0 env SLURM_NTASKS=1 "$bin/ddpm-dist" train --config tiny.ini --run taken
silent SLURM_NTASKS
run 0 env SLURM_NTASKS=4 "${mpirun[@]}" 2 "$bin/ddpm-dist" train --config tiny.ini --run other
says 'warning: .*SLURM gave this job 4 tasks (SLURM_NTASKS), and mpirun started 2 ranks'
run 78 "${mpirun[@]}" 1 "$bin/ddpm-dist" train --config tiny.ini --run third : \
  -np 1 "$bin/ddpm-dist" train --config tiny.ini --set train.lr=1e-5 --run third
says "the configuration is not the same on all ranks"
if [ "$best" != generic ]; then
  run 78 "${mpirun[@]}" 1 "$bin/ddpm-dist" train --config tiny.ini --run third : \
    -np 1 env DDPM_ISA=generic "$bin/ddpm-dist" train --config tiny.ini --run third
  says "the instruction set of the kernels (DDPM_ISA) is not the same on all ranks"
fi
cp "$bin/ddpm-dist" other-dist
printf 'x' >>other-dist # another program, that does the same
run 78 "${mpirun[@]}" 1 "$bin/ddpm-dist" train --config tiny.ini --run third : \
  -np 1 ./other-dist train --config tiny.ini --run third
says "the program (its SHA-256) is not the same on all ranks"
run 78 "${mpirun[@]}" 1 "$bin/ddpm-dist" doctor : -np 1 ./other-dist doctor
says '^error *program *the program (SHA-256) of rank 1'
silent '^ok'

echo "- a run directory that will not do"
doctor 73 --run shapes.h5/run
says '^error *run .*shapes.h5.*Not a directory'
says '^ok *lock *not tried'
doctor 73 --run /proc/here
says '^error *run '
if [ -w /dev/shm ] && [ "$(stat -f -c %T /dev/shm)" = tmpfs ]; then
  doctor 0 --run /dev/shm
  says '^warning *run */dev/shm is tmpfs'
fi

echo "- a configuration that does not fit"
doctor 71 --config tiny.ini --set model.channels=1024 \
  --set train.batch=65536 --set train.micro_batch=65536
says '^error *memory *1 ranks on this node need'
doctor 78 --config tiny.ini --set train.bacth=3
says "^error *configuration .*'train.bacth'; did you mean 'train.batch'"
doctor 66 --config none.ini
says '^error *configuration .*none.ini'
doctor 66 --config tiny.ini --set data.path=none.h5
says '^error *data .*none.h5'
doctor 78 --config tiny.ini --set data.path=
says '^error *data *data.path is not set'
doctor 66 --config tiny.ini --set eval.every=2 --set eval.data=held.h5
says '^error *data .*held.h5 cannot be read'
run 0 "$bin/ddpm-data" generate shapes -n 8 --size 8 -o small.h5
doctor 78 --config tiny.ini --set eval.every=2 --set eval.data=small.h5
says '^error *data .*small.h5 has images of 8x8'
ranks 5 78 --config tiny.ini
says '^error *configuration *5 ranks, but'

echo "- arguments"
doctor 0 --help
says 'how to mend it'
doctor 64 extra
says "unexpected argument 'extra'"
doctor 64 --run ''
doctor 64 --jsn
doctor 64 --config
run 64 "$bin/ddpm-dist" doctr
says "did you mean 'doctor'"

finish 47
