"""A port on loopback that leads to the API server, and can be taken away and given back."""

import os
import selectors
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import yaml


class Forwarder:
    """Forwards connections to an address; `refuse` closes those that are open and lets no other in.

    Parameters:
        host: the address to listen on.
    """

    def __init__(self, address: tuple[str, int], host: str = "127.0.0.1") -> None:
        self.address = address
        self.refusing = False
        self.seen = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server((host, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @classmethod
    def to_api_server(cls) -> "Forwarder":
        server = urlsplit(_kubeconfig()["clusters"][0]["cluster"]["server"])
        return cls((server.hostname or "", server.port or 443))

    def __enter__(self) -> "Forwarder":
        return self

    def __exit__(self, *error: object) -> None:
        self.refuse()
        self._listener.close()

    def refuse(self) -> None:
        with self._lock:
            self.refusing = True
            for one in self._open:
                one.close()
            self._open.clear()

    def accept(self) -> None:
        self.refusing = False

    def wait_for_connections(self, count: int) -> None:
        end = time.monotonic() + 60
        while self.seen < count:
            assert time.monotonic() < end, f"{self.seen} connections came, not {count}"
            time.sleep(0.01)

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.refusing:
                near.close()
                continue
            far = socket.create_connection(self.address)
            with self._lock:
                self._open |= {near, far}
            self.seen += 1
            threading.Thread(target=_pass, args=(near, far), daemon=True).start()


def _pass(near: socket.socket, far: socket.socket) -> None:
    try:
        with near, far, selectors.DefaultSelector() as waiting:
            waiting.register(near, selectors.EVENT_READ, far)
            waiting.register(far, selectors.EVENT_READ, near)
            while True:
                for ready, _ in waiting.select(timeout=0.5):
                    data = ready.fileobj.recv(65536)  # type: ignore[union-attr]
                    if not data:
                        return
                    ready.data.sendall(data)
                if near.fileno() < 0 or far.fileno() < 0:
                    return
    except (OSError, ValueError):  # closed by `refuse`
        return


def kubeconfig_through(forwarder: Forwarder, folder: Path) -> dict[str, str]:
    """The environment in which KUBECONFIG leads through the forwarder."""
    config = _kubeconfig()
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{forwarder.port}"
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return {**os.environ, "KUBECONFIG": str(file)}


def _kubeconfig() -> dict[str, list[dict[str, dict[str, str]]]]:
    loaded: dict[str, list[dict[str, dict[str, str]]]] = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    return loaded
