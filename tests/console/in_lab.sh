#!/usr/bin/env bash
# Runs the console's tests in a lab of their own, and takes it down again: in_lab.sh LAB.PY VENV/BIN [PYTEST OPTIONS]
set -euo pipefail
lab=$1 bin=$2
shift 2
# What docs/carry.md has an operator write, for the namespace of these tests.
LAB_MESH=$(sed s/graylane-carry/graylane-controller/ tests/cluster/mesh_with_otlp.yaml)
LAB_STATE=$(mktemp -d)
export LAB_MESH LAB_STATE
trap 'python3 "$lab" down' EXIT
trap 'exit 143' INT TERM
sh tests/cluster/lab_build.sh "$lab"
"$bin/python" tests/support/axe_core.py
python3 "$lab" up --image "graylane-demo=$bin/python -m demo_services" \
  --image "graylane-test-backend=$bin/python $PWD/tests/cluster/backend.py"
python3 "$lab" exec -- env --default-signal=INT,QUIT "$bin/pytest" -q -s tests/console --durations=10 "$@"
