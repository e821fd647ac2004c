# One bit of one rank's weights or averages flips, as in bad memory.
# shellcheck shell=bash disable=SC2034,SC2154
fault="a flipped bit in the weights or averages of one rank"
promise="found by the next audit (train.audit_every steps), exit 70, naming tensor and rank; nothing of it is saved"
. "$here/poke.sh"

flip() {
  local count every rank what at tensor found
  draw count 2 4
  draw rank 0 $((count - 1))
  pick every 1 5 20
  pick what weights averages
  begin_ranks "$count" --run run --set train.audit_every="$every" --set checkpoint.every=1000000
  await '^step 3/' 60 || return
  poke "$rank" "$what" flip || return
  at=$(last_step)
  last="rank $rank of $count, $what: $(cat run.poked)"
  ends any 60
  tensor=$(tensor_of "$poked")
  found=$(last_step)
  if grep -q '3 steps in a row' err; then
    # Three steps are fewer than the audit's interval, and the flip made a number that is none.
    says 'is skipped'
    same "exit code" "$code" 65
    outcome "three steps that were not finite came first: 65"
    return
  fi
  expect "element '$poked' belongs to no tensor" [ -n "$tensor" ]
  says "tensor ${tensor:-?} differs on .*rank $rank ("
  same "exit code" "$code" 70
  expect "found after step ${found:-none}, flipped after step $at, audited every $every" \
    [ "${found:-1000000}" -le $((at + every + 3)) ]
  same "checkpoints of a broken state" "$(published run | wc -l)" 0
  outcome "$what: caught, named"
}

row() {
  prepare
  make_reference 2
  tensors_of_reference
  trials 4 100 flip
}
