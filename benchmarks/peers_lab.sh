#!/usr/bin/env bash
# Runs benchmarks/peers.py in a lab of its own, and takes that down again: peers_lab.sh LAB.PY VENV/BIN [OPTIONS]
# The API server writes an audit log here, since its metrics do not tell whose request it was. The lab starts it without
# options of ours, so LAB_BIN has a script in its place that adds them.
set -euo pipefail
lab=$1 bin=$2
shift 2

sh tests/cluster/lab_build.sh "$lab"
python3 "$lab" build --peer flagger --peer argo-rollouts
built=${LAB_BIN:-${TMPDIR:-/tmp}/lab-bin}
work=$(mktemp -d)
chmod 755 "$work" # the lab's sidecars are of another user
export LAB_STATE=$work/lab LAB_BIN=$work/bin GRAYLANE_AUDIT_LOG=$work/audit.log
# kubectl keeps what a server has by its address, which every lab has in common.
export KUBECACHEDIR=$work/kubectl
benchmark=
trap 'kill $benchmark 2>/dev/null || true; python3 "$lab" down; rm -rf "$work"' EXIT
trap 'exit 143' INT TERM

mkdir "$LAB_BIN"
ln -s "$built"/* "$LAB_BIN"
rm "$LAB_BIN/kube-apiserver"
cat > "$LAB_BIN/kube-apiserver" <<SCRIPT
#!/bin/sh
exec "$built/kube-apiserver" "\$@" --audit-policy-file="$work/audit.yaml" --audit-log-path="$GRAYLANE_AUDIT_LOG"
SCRIPT
chmod +x "$LAB_BIN/kube-apiserver"
cat > "$work/audit.yaml" <<POLICY
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules: [{level: Metadata}]
POLICY

python3 "$lab" up --peer flagger --peer argo-rollouts --image "graylane-demo=$bin/python -m demo_services"
PYTHONPATH=tests/support:benchmarks python3 "$lab" exec -- "$bin/python" -u benchmarks/peers.py "$@" &
benchmark=$!
wait $benchmark
