#!/usr/bin/env bash
# Runs a program under strace, which hurts its calls on one path below a run directory's checkpoints/:
# the temporary file of the checkpoint of a step, or the directory itself.
#   traced.sh CHECKPOINTS STEP|directory CALL:RULE PROGRAM ARGUMENT...
# RULE is that of strace's inject, whose counts (when=N) are of one thread. ./tr has the trace. With -D
# the program is the process that this script was, so that its temporary file's name is known.
directory=$1 place=$2 rule=$3
shift 3
paths=(-P "$directory" -P "$PWD/$directory")
if [ "$place" != directory ]; then
  file=$(printf '%s/.step-%09d.h5.tmp-%d-0' "$directory" "$place" $$)
  paths=(-P "$file" -P "$PWD/$file")
fi
fast=(--seccomp-bpf) # leaves all other calls alone, and is not able to deliver signals
[[ $rule != *signal=* ]] || fast=()
exec strace -D -f "${fast[@]}" -y -o tr "${paths[@]}" -e "trace=${rule%%:*}" -e "inject=$rule" "$@"
