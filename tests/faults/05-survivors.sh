# Any of the newest checkpoints damaged.
# shellcheck shell=bash disable=SC2034,SC2154
fault="any of the K newest checkpoints damaged, all but one or all"
promise="resumes from the newest survivor, and says what it passed over; none left is an error, never a fresh start"

subset() { # K MASK: bit i of MASK damages the i-th newest of K
  local kept=$1 mask=$2 i kind place survivor=0
  train 0 --run run --set train.steps=8 --set checkpoint.every=2 --set checkpoint.keep="$kept"
  same "checkpoints kept" "$(published run | wc -l)" "$kept"
  rm run/done
  for ((i = 0; i < kept; i++)); do
    local file
    file=$(printf 'run/checkpoints/step-%09d.h5' $((8 - 2 * i)))
    if ((mask >> i & 1)); then
      pick kind bit bytes page truncate header
      draw place 0 1000000
      run 0 "$helpers/faults_damage" "$kind" "$place" "$file"
    elif [ $survivor -eq 0 ]; then
      survivor=$((8 - 2 * i))
    fi
  done
  if [ $survivor -eq 0 ]; then
    train 65 --run run --set train.steps=9
    says '--fresh'
    same "what is there afterwards" "$(published run | wc -l)" "$kept"
    outcome "none left: refused"
    return
  fi
  train 0 --run run --set train.steps=9
  says "after $survivor steps"
  same "checkpoints passed over" "$(grep -c 'skipping a checkpoint' err)" $(((8 - survivor) / 2))
  as_reference run
  outcome "resumed from the survivor"
}

row() {
  local mask most=7 kept=3 # in short: the newest two, and all three
  [ -n "$full" ] && most=15 kept=4
  prepare 9 1
  make_reference 9
  for ((mask = full ? 1 : 3; mask <= most; mask += full ? 1 : 4)); do try subset $kept $mask; done
}
