# Ranks that are not one program on one configuration.
# shellcheck shell=bash disable=SC2034,SC2154
fault="ranks with another program, configuration, instruction set or data"
promise="found at the start by hash, exit 78, naming what differs and on which rank"

differ() { # WHAT
  local other=("$bin/ddpm-dist") arguments=() word
  case $1 in
    program)
      cp "$bin/ddpm-dist" run.other
      echo >>run.other
      other=(./run.other) word="the program"
      ;;
    configuration) arguments=(--set train.seed=5) word="seed = 5" ;;
    isa) other=(env DDPM_ISA=generic "$bin/ddpm-dist") word="instruction set" ;;
    data)
      run 0 "$bin/ddpm-data" generate shapes -n 40 --size 8 --seed 9 -o runother.h5
      mkdir -p run.elsewhere
      sed 's|shapes.h5|../shapes.h5|' tiny.ini >run.elsewhere/tiny.ini
      # The same path means another file on that node.
      mkdir -p run.elsewhere/data && cp runother.h5 run.elsewhere/shapes.h5 && cp tiny.ini run.elsewhere/
      # shellcheck disable=SC2016
      other=(sh -c 'cd run.elsewhere && exec "$0" "$@"' "$bin/ddpm-dist") word="data set"
      ;;
  esac
  run 78 timeout -k 5 $bound mpirun -n 1 "$bin/ddpm-dist" train --config tiny.ini --run run : \
    -n 1 "${other[@]}" train --config tiny.ini --run run "${arguments[@]}"
  says "$word"
  says 'rank'
  silent '^step 1/'
  outcome "refused"
}

row() {
  prepare
  each differ -- program configuration isa data
}
