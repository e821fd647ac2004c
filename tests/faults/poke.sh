# Changing the memory of a rank that was begun with --verbose: it says where things are.
# shellcheck shell=bash disable=SC2034,SC2154

# poke RANK weights|averages|images nan|inf|flip: `poked` is the number of the element. Where rank or
# place cannot be found nothing was hurt: false, with the reason in `unhurt`.
poke() {
  local pid address bytes place line i
  # mpirun may join lines of several ranks.
  for ((i = 0; i < 1500; i++)); do # what other ranks say may come later than what rank 0 has done since
    grep -q "ddpm-dist\[$1\]: pid [0-9]*: $2 at" err && break
    sleep 0.02
  done
  line=$(sed -n "s/.*ddpm-dist\[$1\]: pid \([0-9]*\): $2 at \(0x[0-9a-f]*\), \([0-9]*\) bytes.*/\1 \2 \3/p" err | tail -n 1)
  read -r pid address bytes <<<"$line"
  draw place 0 1000000000
  if [ -z "$line" ] || ! "$helpers/faults_poke" "$pid" "$address" "$bytes" "$3" "$place" >run.poked; then
    unhurt="could not change $2 of rank $1 ('$line')"
    return 1
  fi
  poked=$(sed -n 's/^element \([0-9]*\):.*/\1/p' run.poked)
}
# The step that the job last said it had done
last_step() { sed -n 's/^step \([0-9]*\)\/.*/\1/p' err | tail -n 1; }
# "first-element name" of each tensor of ./ref's checkpoints in the flat buffer, where each begins at
# a multiple of 16 elements
tensors_of_reference() {
  run 0 "$bin/ddpm-inspect" --json tree ref
  awk -F'[":, ]+' '
    /"name"/ { name = $3 }
    /"count"/ { print at, name; at += int(($3 + 15) / 16) * 16 }
    BEGIN { at = 0 }' out >tensors
}
tensor_of() { awk -v e="$1" '$1 <= e { name = $2 } END { print name }' tensors; }
