#!/bin/sh
# Creates the preview lane of a pull request, or moves it to another image, and waits until it can be reached.
# Needs LANE, NAMESPACE, SERVICE, IMAGE and KUBECONFIG. Leaves lane.json for comment.py.
set -eu
graylane lane create "$LANE" -n "$NAMESPACE" -f lane.yaml --image "$SERVICE=$IMAGE" --output json > lane.json
cat lane.json
