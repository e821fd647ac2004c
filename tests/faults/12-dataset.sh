# Another data set than the checkpoint's.
# shellcheck shell=bash disable=SC2034,SC2154
fault="data set changed since the checkpoint"
promise="refused with 78 unless --allow-data-change says otherwise; another shape never fits"

changed() { # SHAPE|COUNT|CONTENT
  local other=(-n 40 --size 8 --seed 0)
  case $1 in
    shape) other=(-n 40 --size 16) ;;
    count) other=(-n 41 --size 8) ;;
    content) other=(-n 40 --size 8 --seed 7) ;;
  esac
  train 0 --run run --set train.steps=2
  run 0 "$bin/ddpm-data" generate shapes "${other[@]}" -o runother.h5
  train 78 --run run --set train.steps=4 --set data.path=runother.h5
  silent '^step 3/'
  outcome "refused"
  case $1 in
    shape) train 78 --run run --set train.steps=4 --set data.path=runother.h5 --allow-data-change ;;
    *)
      says 'allow-data-change'
      train 0 --run run --set train.steps=4 --set data.path=runother.h5 --allow-data-change
      says 'warning: .*another data set'
      outcome "allowed where it was asked for"
      ;;
  esac
}

row() {
  prepare
  each changed -- shape count content
}
