# Sourced by the wrappers beside it: sets `ringmq` to the executable. An installed one lies beside the wrappers, one
# built from source under build/release, else the PATH decides.
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
ringmq=
for candidate in "$here/ringmq" "$here/../build/release/ringmq" "$(command -v ringmq || true)"; do
  if [[ -n $candidate && -x $candidate ]]; then
    ringmq=$(readlink -f "$candidate")
    break
  fi
done
if [[ -z $ringmq ]]; then
  echo "${0##*/}: no ringmq executable in $here, in build/release or on the PATH; ./dev build makes one" >&2
  exit 1
fi
