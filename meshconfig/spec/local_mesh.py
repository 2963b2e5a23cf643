"""`kind: LocalMesh`: the local process of each version of each service."""

import shlex
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from meshconfig.spec.base import DnsLabel, PortNumber, Strict, said
from meshconfig.spec.document import Named
from meshconfig.spec.match import SLASH


def _words(value: Any) -> Any:
    """Splits a command as a shell does; a list stays as it is."""
    if not isinstance(value, str):
        return tuple(value) if isinstance(value, list) else value
    try:
        return tuple(shlex.split(value))
    except ValueError as error:
        raise ValueError(f"not a command line: {str(error).lower()}") from None


Command = Annotated[tuple[str, ...], BeforeValidator(_words, json_schema_input_type=str | list[str])]
_ADDRESS = said(r"^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}$", "HOST:PORT, such as 127.0.0.1:9105")


def _has_port(address: str) -> str:
    if not 1 <= (port := int(address.rpartition(":")[2])) <= 65535:
        raise ValueError(f"takes a port from 1 to 65535, not {port}")
    return address


Address = Annotated[str, StringConstraints(pattern=_ADDRESS), AfterValidator(_has_port)]


class Workload(Strict):
    """The process of one version: a `command` that graylane starts, or the `address` of one that runs already.

    Placeholders in the command and in `env`: `{port}` is the free port on which the process must listen, unless it is a
    consumer's. `{SERVICE}` is the address of that service in the mesh (`http://127.0.0.1:PORT`). `{{` is a brace. If
    the first word is `python`, graylane runs its own Python.
    """

    command: Command | None = None
    env: dict[str, str] = {}
    address: Address | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "Workload":
        if (self.command is None) == (self.address is None):
            raise ValueError("takes one of command and address")
        if self.command is not None and not self.command:
            raise ValueError("the command is empty")
        if self.address is not None and self.env:
            raise ValueError("env has no effect on a process that runs already")
        return self

    @property
    def host_and_port(self) -> tuple[str, int]:
        """The host and the port of `address`."""
        host, _, port = (self.address or "").rpartition(":")
        return host.strip("[]"), int(port or 0)


class LocalMeshSpec(Strict):
    """The processes of a group and the ports of its local mesh.

    `workloads` has a process for each version of a service or consumer. `ports` has the mesh's port for each service,
    `gatewayPort` the port for requests from outside; a free port is taken where none is given. `examplePath` is the
    path in the curl commands that `local up` prints.
    """

    workloads: Annotated[dict[str, dict[DnsLabel, Workload]], Field(min_length=1)]
    ports: dict[str, PortNumber] = {}
    gateway_port: PortNumber | None = None
    example_path: Annotated[str, StringConstraints(pattern=SLASH)] = "/"


class LocalMesh(Named):
    """How one group runs on this machine; `metadata` names the LaneGroup that it belongs to."""

    kind: Literal["LocalMesh"]
    spec: LocalMeshSpec
