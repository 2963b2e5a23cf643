"""A broker as a process of these tests: started on loopback, awaited, killed or stopped; always ended by its pid."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "graylane" / "brokers"
PATIENCE = 180.0  # seconds for a broker to take connections; a machine may have much else to do


def free_port():
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class BrokerProcess:
    """One process at a time that listens on `port`; what it prints goes to a file in `folder`."""

    def __init__(self, command, port, folder, environment=None):
        self.command, self.port, self.log = command, port, Path(folder, "output.log")
        self.environment = {**os.environ, **(environment or {})}
        self.process = None

    def start(self):
        """Start it and wait until it takes connections.

        Raises:
            RuntimeError: it ended, or took too long; with the last lines of what it printed.
        """
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.environment
            )
        end = time.monotonic() + PATIENCE
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{self.command[0]} does not listen: {self.log.read_text()[-2000:]}")
            time.sleep(0.1)
        return self

    def kill(self):
        """End it as a crash would: at once."""
        self._end(signal.SIGKILL)

    def stop(self):
        """End it as an operator would; one that does not end by itself is killed."""
        self._end(signal.SIGTERM)

    def pause(self):
        """Let it hang: it keeps its connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def _end(self, how):
        self.process.send_signal(how)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _answers(self):
        with socket.socket() as one:
            one.settimeout(1)
            return one.connect_ex(("127.0.0.1", self.port)) == 0
