# A metrics file whose last line is torn, as a lost node leaves it.
# shellcheck shell=bash disable=SC2034,SC2154
fault="the last line of metrics.jsonl torn at any byte"
promise="the torn line is dropped; resuming cuts back to the checkpoint's step, and no line is lost or there twice"

every_byte() {
  run 0 "$helpers/test_train_metrics"
  says 'a_last_line_torn_at_any_byte_is_dropped'
  tried=$((tried + $(tail -n 1 ref/metrics.jsonl | wc -c) - 1))
  outcome "dropped at every byte (unit test)"
}
steps_of() { sed -n 's/^{"step":\([0-9]*\),.*}$/\1/p' "$1/metrics.jsonl" | tr '\n' ' '; }
resumed() { # INDEX
  local bytes last_bytes keep
  cp -r ref run
  rm -f run/done
  bytes=$(stat -c %s run/metrics.jsonl)
  last_bytes=$(tail -n 1 run/metrics.jsonl | wc -c)
  draw keep 0 $((last_bytes - 1))
  truncate -s $((bytes - last_bytes + keep)) run/metrics.jsonl
  last="the last line cut to $keep bytes"
  rm run/checkpoints/step-000000006.h5 # it was on its way when the node was lost
  train 0 --run run --set train.steps=7
  same "steps of the metrics" "$(steps_of run)" "1 2 3 4 5 6 7 "
  same "lines that are whole" "$(grep -c '^{.*}$' run/metrics.jsonl)" "$(wc -l <run/metrics.jsonl)"
  outcome "dropped, and the run went on"
}

row() {
  prepare
  make_reference 6
  try every_byte
  trials 1 40 resumed
}
