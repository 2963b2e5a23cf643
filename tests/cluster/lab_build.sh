#!/bin/sh
# Builds what the lab runs, where it is not there yet: lab_build.sh LAB.PY
set -eu
lab=$1
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
python3 "$lab" build --peer flux || {
  CGO_ENABLED=0 GOFLAGS='-buildvcs=false -mod=mod' build_as_pinned
  python3 "$lab" build --peer flux
}
