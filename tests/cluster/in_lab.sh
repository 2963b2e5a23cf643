#!/bin/sh
# Runs the cluster tests in a lab of their own and takes it down again: in_lab.sh LAB.PY VENV/BIN
set -eu
lab=$1 bin=$2
LAB_STATE=$(mktemp -d)
export LAB_STATE
trap 'python3 "$lab" down' EXIT INT TERM
# Where it gets Kubernetes, `lab.py build` names no version; a release that came since does not fit the modules that it
# pins (seen 2026-11-27). Then both programs are built here from the go.mod that it has left, at the version there.
build_as_pinned() (
  bin=${LAB_BIN:-${TMPDIR:-/tmp}/lab-bin}
  cd "$bin/src-kube"
  version=$(sed -n 's/^require k8s.io\/kubernetes //p' go.mod)
  for name in kube-apiserver kube-controller-manager; do
    go get "k8s.io/kubernetes/cmd/$name@$version"
    go build -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version" -o "$bin/$name" \
      "k8s.io/kubernetes/cmd/$name"
  done
)
python3 "$lab" build || {
  CGO_ENABLED=0 GOFLAGS='-buildvcs=false -mod=mod' build_as_pinned
  python3 "$lab" build
}
up() {
  python3 "$lab" up \
    --image "graylane-test-backend=$bin/python $(pwd)/tests/cluster/backend.py" \
    --image "graylane-demo=$bin/python -m demo_services"
}
up
python3 "$lab" exec -- "$bin/pytest" -q tests/cluster -m cluster -s --durations=50
# A control plane that holds its pushes back is another one, in a lab of its own.
python3 "$lab" down
LAB_STATE=$(mktemp -d)
export LAB_STATE
export PILOT_DEBOUNCE_AFTER=4s PILOT_DEBOUNCE_MAX=9s GRAYLANE_SLOW_ISTIOD=1
up
python3 "$lab" exec -- "$bin/pytest" -q tests/cluster/test_slow_istiod.py -m cluster -s
