"""Commands of graylane as processes that start in no time and can be killed: forked from one that has imported all.

Their sleeps are a hundredth as long, and the pauses of a controller too, so that retries take no time.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

FASTER = 100
PR_SET_PDEATHSIG = 1  # of Linux: the signal that a process gets when its parent has ended


@dataclass(frozen=True)
class Done:
    status: int  # negative: of the signal that ended it
    out: str
    err: str


class Forked:
    """Runs one command at a time, by the folder and kubeconfig of `at`.

    `pid`: of the one under way; `last`: of the last.
    """

    def __init__(self):
        self._folder, self._kubeconfig, self.pid, self.last = Path(), "", 0, 0
        command = [sys.executable, __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def at(self, folder, kubeconfig):
        self._folder, self._kubeconfig = Path(folder), str(kubeconfig)

    def start(self, *arguments):
        words = [str(one) for one in arguments]
        job = {"arguments": words, "folder": str(self._folder), "kubeconfig": self._kubeconfig}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        self.pid = self.last = int(self._process.stdout.readline())

    def wait(self):
        status = int(self._process.stdout.readline())
        self.pid = 0
        out, err = ((self._folder / name).read_text(errors="replace") for name in ("out", "err"))
        return Done(status, out, err)

    def run(self, *arguments):
        self.start(*arguments)
        return self.wait()

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _serve():
    slow = time.sleep

    def sleep(seconds):
        slow(seconds / FASTER)

    time.sleep = sleep  # before anything binds it
    for name in ("cli.commands", "cli.rollout", "rollout.runner", "cluster.change", "cluster.client", "lint"):
        import_module(f"meshconfig.{name}")
    from meshconfig import cli
    from meshconfig.rollout.runner import admission, context, routing, worker

    context.LOOK = worker.LOOK = admission.LOOK = 0.05
    worker.LATER = admission.LATER = routing.BUSY = 0.05
    routing.PAUSES = (0.05, 0.2)
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if not pid:
            _run(job, cli.main)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(job, main):
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a controller would go on for ever
    folder = Path(job["folder"])
    for number, name in ((0, None), (1, "out"), (2, "err")):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC if name else os.O_RDONLY
        os.dup2(os.open(folder / name if name else os.devnull, flags), number)
    os.setsid()
    os.environ["KUBECONFIG"] = job["kubeconfig"]
    sys.argv = ["graylane", *job["arguments"]]
    main()


if __name__ == "__main__":
    _serve()
