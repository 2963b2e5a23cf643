"""Rules of a preview lane's versions."""

from meshconfig.crds.cel import CelRule, Rules, alone, labels
from meshconfig.spec.preview import MOVE

RULES: Rules = {
    "PreviewSpec": (
        labels("versions"),
        CelRule("self.group == oldSelf.group", f"a lane stays in its group: {MOVE}", ".group"),
    ),
    "PreviewVersion": (
        CelRule(
            "has(self.from) != has(self.labels)",
            "takes one of from (a version whose Deployment is cloned) and labels (Pods that exist)",
        ),
        # `replicas` has a default, which the API server does not fill in: it would stand beside labels too.
        CelRule(
            alone("labels", "image", "env", "replicas"),
            "labels names Pods that exist: image, env and replicas are for a clone",
            ".labels",
        ),
    ),
}
