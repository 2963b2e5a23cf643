#!/bin/sh
# Runs the cluster tests in a lab of their own and takes it down again: in_lab.sh LAB.PY VENV/BIN
set -eu
lab=$1 bin=$2
LAB_STATE=$(mktemp -d)
export LAB_STATE
trap 'python3 "$lab" down' EXIT INT TERM
python3 "$lab" build
python3 "$lab" up \
  --image "graylane-test-backend=$bin/python $(pwd)/tests/cluster/backend.py" \
  --image "graylane-demo=$bin/python -m demo_services"
python3 "$lab" exec -- "$bin/pytest" -q tests/cluster -m cluster -s
