"""A RabbitMQ of its own, from Debian's packages.

They are unpacked into the user's cache and not installed: no service of the machine starts, and nobody has to be root.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from broker_process import CACHE, BrokerProcess, free_port

PACKAGE = "rabbitmq-server"
TOOLS = ("apt-cache", "apt-get", "dpkg")
_ONLY_DEPENDS = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")


class RabbitMQ:
    """A node with its own name, ports and folder; its queues outlive a restart."""

    def __init__(self, folder):
        root = unpacked()
        self.port, self.folder = free_port(), Path(folder)
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/"
        (self.folder / "rabbitmq.conf").write_text(_CONFIGURATION.format(port=self.port))
        epmd = free_port()
        environment = _environment(root, self.folder, epmd)
        names = self.folder / "names"
        names.mkdir()
        # Erlang's name server would go on after the node if the node started it.
        self._names = BrokerProcess([_erts(root) / "epmd", "-address", "127.0.0.1", "-port", str(epmd)], epmd, names)
        self._node = BrokerProcess([_home(root) / "sbin" / "rabbitmq-server"], self.port, folder, environment)

    def __enter__(self):
        self._names.start()
        try:
            self._node.start()
        except BaseException:
            self._names.kill()
            raise
        return self

    def __exit__(self, *_):
        self._node.stop()
        self._names.kill()

    def kill(self):
        """End the node as a crash would."""
        self._node.kill()

    def stop(self):
        """End the node in order."""
        self._node.stop()

    def start(self):
        """Start the node again, with the queues that it had."""
        self._node.start()


def missing():
    """The tools that this machine does not have."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def unpacked():
    """The folder that RabbitMQ and Erlang are unpacked into, one for each version.

    Raises:
        RuntimeError: apt has no such package, or cannot download it; with what it said.
    """
    version = _candidate()
    folder = CACHE / f"{PACKAGE}-{version.replace(':', '_')}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            packages, root = Path(temporary, "packages"), Path(temporary, "root")
            packages.mkdir()
            _download(packages)
            for package in packages.iterdir():
                _run("dpkg", "-x", str(package), str(root))
            root.rename(folder)
    return folder


def _download(folder):
    command = ("apt-get", "download", "-qq", *_with_erlang())
    try:
        _run(*command, cwd=folder)
    except RuntimeError:  # a list of packages can name one that the mirror has replaced
        _refresh()
        _run(*command, cwd=folder)


def _refresh():
    if os.geteuid() == 0:
        _run("apt-get", "update", "-qq")


def _candidate():
    for refresh in (lambda: None, _refresh):
        refresh()
        lines = _run("apt-cache", "policy", PACKAGE).splitlines()
        found = [line.split()[-1] for line in lines if line.strip().startswith("Candidate:")]
        if found and found[0] != "(none)":
            return found[0]
    raise RuntimeError(f"apt has no package {PACKAGE}; run `apt-get update`")


def _with_erlang():
    lines = _run("apt-cache", "depends", "--recurse", *(f"--no-{kind}" for kind in _ONLY_DEPENDS), PACKAGE)
    return [PACKAGE, *sorted({line for line in lines.splitlines() if line.startswith("erlang-")})]


def _run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:2])}: {done.stderr.strip()[-500:]}")
    return done.stdout


def _environment(root, folder, epmd):
    """RabbitMQ's own variables: every folder of it in this one, and Erlang where it was unpacked."""
    launcher = folder / "bin" / "erl"
    launcher.parent.mkdir()
    # Debian's `erl` knows only the place that it is installed to.
    launcher.write_text(_LAUNCHER.format(root=root / "usr/lib/erlang", erts=_erts(root)))
    launcher.chmod(0o755)
    return {
        "PATH": f"{launcher.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(epmd),
        "RABBITMQ_ALLOW_INPUT": "1",  # the script becomes the node, so that its pid is the node's
        "RABBITMQ_NODENAME": f"graylane-{os.getpid()}-{epmd}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput -kernel inet_dist_use_interface {127,0,0,1}",
    }


def _erts(root):
    return next(root.glob("usr/lib/erlang/erts-*/bin"))


def _home(root):
    return next(root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*"))


_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
log.console = true
log.console.level = warning
log.file = false
disk_free_limit.absolute = 50MB
"""
_LAUNCHER = """\
#!/bin/sh
ROOTDIR={root} BINDIR={erts} EMU=beam PROGNAME=erl
export ROOTDIR BINDIR EMU PROGNAME
exec "$BINDIR/erlexec" "$@"
"""
