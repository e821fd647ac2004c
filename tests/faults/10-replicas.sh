# One bit of one rank's weights or averages flips, as in bad memory.
# shellcheck shell=bash disable=SC2034,SC2154
fault="a flipped bit in the weights or averages of one rank"
promise="found by the next audit (train.audit_every steps), exit 70, naming tensor and rank; nothing of it is saved"
. "$here/poke.sh"

# Whether a change is so small that the next update's rounding may swallow it: then the replicas agree
# again before anybody compares them, and no harm is done.
is_tiny() { # the line of faults_poke
  awk '{ change = $3 - $6; size = $3 < 0 ? -$3 : $3; if (change < 0) change = -change
         exit !(change <= size * 2^-20 || change < 1e-9) }' <<<"$1"
}
flip() {
  local count every rank what at tensor found code=""
  draw count 2 4
  draw rank 0 $((count - 1))
  pick every 1 5 20
  pick what weights averages
  begin_ranks "$count" --run run --set train.audit_every="$every" --set checkpoint.every=1000000
  await '^step 3/' 60 || return
  if ! poke "$rank" "$what" flip; then # nothing was hurt: once more
    attempts=$((attempts + 1))
    [ "$attempts" -lt 3 ] || { failed "$unhurt"; return; }
    clear_away
    rm -rf run*
    flip
    return
  fi
  at=$(last_step)
  last="rank $rank of $count, $what: $(cat run.poked)"
  tensor=$(tensor_of "$poked")
  while kill -0 "$job" 2>/dev/null && [ "$(last_step)" -le $((at + every + 10)) ]; do sleep 0.02; done
  if kill -USR1 "$job" 2>/dev/null && ends any 60 && [ "$code" -eq 75 ] && is_tiny "$(cat run.poked)"; then
    says 'saved as' # which all ranks agreed on
    outcome "$what: swallowed by the next update's rounding, the ranks agree again"
    return
  fi
  [ -n "$code" ] || ends any 60
  found=$(last_step)
  if grep -q '3 steps in a row' err; then
    # Three steps are fewer than the audit's interval, and the flip made a number that is none.
    says 'is skipped'
    same "exit code" "$code" 65
    outcome "three steps that were not finite came first: 65"
    return
  fi
  same "exit code" "$code" 70
  expect "element '$poked' belongs to no tensor" [ -n "$tensor" ]
  says "tensor ${tensor:-?} differs on .*rank $rank ("
  expect "found after step ${found:-none}, flipped after step $at, audited every $every" \
    [ "${found:-1000000}" -le $((at + every + 3)) ]
  same "checkpoints of a broken state" "$(published run | wc -l)" 0
  outcome "$what: caught, named"
}

begin_flip() {
  attempts=0
  flip
}
row() {
  prepare
  make_reference 2
  tensors_of_reference
  trials 4 100 begin_flip
}
