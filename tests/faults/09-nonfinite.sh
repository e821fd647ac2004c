# NaN and infinity, written into the memory of a rank from outside.
# shellcheck shell=bash disable=SC2034,SC2154
fault="NaN or infinity in a rank's images or weights"
promise="the step is skipped on all ranks and counted; three in a row: diagnostics, exit 65; never in a checkpoint"
. "$here/poke.sh"

skipped() { grep -c 'is skipped' err; }
# An image that is read ahead, by up to 5 steps: one step is skipped on all ranks. A slot of the ring whose images are
# used already is filled anew before it matters, so that it takes a few attempts.
in_an_image() { # RANKS
  local rank before after attempt what hits=0 at
  begin_ranks "$1" --run run --set checkpoint.every=1000000
  await '^step 3/' 60 || return
  for ((rank = 0; rank < $1; rank++)); do
    for ((attempt = 0; attempt < 30; attempt++)); do
      pick what nan inf
      before=$(skipped)
      poke "$rank" images "$what" || { failed "$unhurt"; return; }
      at=$(last_step)
      await "^step $((at + 8))/" 60 || return # past all that was read ahead
      after=$(skipped)
      [ "$after" -le $((before + 1)) ] || failed "one bad image of rank $rank made $((after - before)) steps skipped"
      [ "$after" -eq "$before" ] || break
    done
    expect "no bad image of rank $rank was noticed" [ "$after" -gt "$before" ]
    hits=$((hits + after - before))
  done
  kill -USR1 "$job"
  ends 75 30
  run 0 "$bin/ddpm-inspect" --json run
  same "skipped steps of the checkpoint" "$(field skipped_steps)" "$hits"
  same "skipped steps of the metrics" \
    "$(sed -n 's/.*"skipped_steps":\([0-9]*\).*/\1/p' run/metrics.jsonl | tail -n 1)" "$hits"
  finite run
  outcome "image: skipped and counted" "$hits"
}
finite() { # RUN: no value of its newest checkpoint is anything else
  local part
  for part in model ema m v; do
    run 0 "$bin/ddpm-inspect" stats --part $part "$1"
    same "NaN and Inf of $part" "$(awk '/^all / { print $(NF - 1), $NF }' out)" "0 0"
  done
}
# The weights of one rank: every step is bad from then on, and the run must end without saving it.
in_the_weights() { # RANKS RANK
  local what newest
  train 0 --run run --set train.steps=3
  pick what nan inf
  begin_ranks "$1" --run run --set checkpoint.every=1000000 --set train.audit_every=0
  await '^step 8/' 60 || return
  poke "$2" weights "$what" || { failed "$unhurt"; return; }
  ends 65 60
  last="$what in the weights of rank $2 of $1"
  says '3 steps in a row'
  says 'of [0-9]* tensors have values that are not finite'
  same "newest checkpoint" "$(published run | tail -n 1)" 3
  outcome "weights: ended with 65, nothing saved"
  goes_on run
}
# While every step is saved: whatever comes first, it is in no file.
never_saved() {
  local code
  begin_ranks 2 --run run
  await '^step 3/' 60 || return
  poke 1 weights nan || { failed "$unhurt"; return; }
  checks=$((checks + 1))
  wait "$job"
  code=$?
  [ $code -eq 65 ] || [ $code -eq 70 ] || failed "NaN while every step is saved: ended with $code"
  all_verify run
  finite run
  outcome "weights, saving every step: nothing saved"
}

row() {
  local count rank
  prepare
  make_reference 20
  for count in 3 ${full:+2 4}; do try in_an_image "$count"; done
  for count in 2 ${full:+3 4}; do
    for ((rank = 0; rank < count; rank++)); do
      if [ -n "$full" ] || [ "$rank" -eq 1 ]; then try in_the_weights "$count" "$rank"; fi
    done
  done
  try never_saved
}
