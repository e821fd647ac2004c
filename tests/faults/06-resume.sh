# Resuming, on the same and on other numbers of ranks.
# shellcheck shell=bash disable=SC2034,SC2154
fault="resume on the same and on another number of ranks"
promise="the same bits: weights, m, v, averages, order of the images, losses"
steps=24

# step, loss and gradient norm of each line of the metrics
losses() { sed -n 's/^{"step":\([0-9]*\),.*"loss":\([^,]*\),"loss_q0.*"grad_norm":\([^,]*\),.*/\1 \2 \3/p' "$1/metrics.jsonl"; }

split() { # RANKS INDEX: a stop after a step of 1 to steps - 1, and on with another number of ranks
  local first=$1 at=$2 second
  [ -n "$full" ] || draw at 1 $((steps - 1))
  pick second 1 2 3 4 16
  ranks "$first" 0 --run run --set train.steps="$at"
  ranks "$second" 0 --run run
  says "after $at steps"
  last="$first ranks, from step $at on $second"
  as_reference run
  same "losses and gradient norms of $last" "$(losses run)" "$(losses ref)"
  if [ "$first" -eq "$second" ]; then outcome "same bits"; else outcome "same bits on another number of ranks"; fi
}

row() {
  local count
  batch=16
  prepare $steps 5
  make_reference $steps
  for count in 3 16 ${full:+1 2 4}; do trials 1 20 split $count; done
}
