"""Stands for the image of k8s/controller in the lab, whose kubelet gives a Pod no token of its account: waits for a
kubeconfig of it, which test_install.py writes, and becomes `graylane` with the Pod's arguments."""

import os
import sys
import time
from pathlib import Path

CONFIG = Path(os.environ.get("LAB_STATE", "/nowhere")) / "controller.kubeconfig"
PATIENCE = 120.0

end = time.monotonic() + PATIENCE
while not CONFIG.exists():
    if time.monotonic() > end:
        sys.exit(f"{CONFIG} did not come")
    time.sleep(0.1)
os.environ["KUBECONFIG"] = str(CONFIG)
os.execv(Path(sys.executable).with_name("graylane"), ["graylane", *sys.argv[1:]])
