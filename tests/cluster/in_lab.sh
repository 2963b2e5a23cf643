#!/usr/bin/env bash
# Runs the cluster tests in labs of their own, and takes these down again: in_lab.sh LAB.PY VENV/BIN [PYTEST OPTIONS]
# A test waits for a mesh most of its time. So those under load run in one lab and all others meanwhile in another; those
# of a slow control plane have a third. With options, what they select runs in one lab.
set -euo pipefail
lab=$1 bin=$2
shift 2
# For test_carry.py: what docs/carry.md has an operator write.
LAB_MESH=$(cat tests/cluster/mesh_with_otlp.yaml)
export LAB_MESH
under_load=()
for name in adopt controller external_hosts gateway_api_no_request_lost gitops move_no_request_lost no_request_lost previews rollouts sticky_users versions; do
  under_load+=("tests/cluster/test_$name.py")
done

# In a subshell of its own, whose LAB_STATE it sets: in_a_lab PYTEST OPTIONS
in_a_lab() {
  LAB_STATE=$(mktemp -d)
  export LAB_STATE
  tests=
  trap 'kill $tests 2>/dev/null || true; python3 "$lab" down' EXIT
  trap 'exit 143' INT TERM
  # What a test has in place of `git push`: test_gitops.py.
  export GRAYLANE_PUSH="python3 $lab push"
  python3 "$lab" up --peer flux \
    --image "graylane-test-backend=$bin/python $(pwd)/tests/cluster/backend.py" \
    --image "graylane-demo=$bin/python -m demo_services" \
    --image "lab/graylane=$bin/python $(pwd)/tests/cluster/controller_pod.py"
  # A shell has its background jobs ignore Ctrl-C, and so would the commands that the tests interrupt.
  python3 "$lab" exec -- env --default-signal=INT,QUIT "$bin/pytest" -q -s -m cluster --durations=25 "$@" &
  tests=$!
  wait $tests
}

# begin NAME PYTEST OPTIONS: in the background, each line with the name before it.
begin() {
  local name=$1
  shift
  in_a_lab "$@" > >(sed -u "s/^/$name: /") 2>&1 &
  jobs+=($!)
}
jobs=()
trap 'kill "${jobs[@]}" 2>/dev/null || true; wait' EXIT
trap 'exit 143' INT TERM

sh tests/cluster/lab_build.sh "$lab"
"$bin/python" tests/support/helm.py >/dev/null # for test_install.py: in the lab there is no way to Go's proxy
"$bin/python" tests/support/go_modules.py # the lab's network leads nowhere
if [ $# -gt 0 ]; then
  (in_a_lab tests/cluster "$@")
  exit
fi
begin load "${under_load[@]}"
begin rest tests/cluster "${under_load[@]/#/--ignore=}"
failed=0
wait "${jobs[0]}" || failed=1
export PILOT_DEBOUNCE_AFTER=4s PILOT_DEBOUNCE_MAX=9s GRAYLANE_SLOW_ISTIOD=1
begin slow tests/cluster/test_slow_istiod.py
wait "${jobs[1]}" || failed=1
wait "${jobs[2]}" || failed=1
exit $failed
