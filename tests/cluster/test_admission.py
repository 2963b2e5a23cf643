"""What `meshconfig.admission` refuses is what the API server and Istio's own validation refuse, manifest by manifest.

The API server is asked by dry runs with strict field validation. `istioctl validate` has the rules of istiod's webhook,
and says which resource of one large file it refuses. No cluster needs the webhook for it.
"""

import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from admission_cases import CASES
from admission_fields import KINDS, table
from admission_manifests import METADATA, Manifest, manifests, styles
from mesh_cluster import istioctl, kubectl

from meshconfig.admission import check
from meshconfig.admission import schema as product
from meshconfig.cluster.client import Client
from meshconfig.errors import ApiError

pytestmark = pytest.mark.cluster
COUNT, SEED = 3000, 20261128
# As kubectl names them, with their API group.
RESOURCES = {
    "DestinationRule": "destinationrules.networking.istio.io",
    "Gateway": "gateways.networking.istio.io",
    "ServiceEntry": "serviceentries.networking.istio.io",
    "Sidecar": "sidecars.networking.istio.io",
    "Telemetry": "telemetries.telemetry.istio.io",
    "VirtualService": "virtualservices.networking.istio.io",
}
REFUSED = re.compile(r"\* (\w+)/([^/\s]*)/(\S+?): (.*)")


def refused_by_server(client: Client, manifest: Manifest) -> str:
    """Why the API server refuses a manifest; empty if it takes it."""
    plural, _, group = RESOURCES[manifest["kind"]].partition(".")
    where = f"/apis/{group}/v1/namespaces/demo/{plural}"
    try:
        client.request("POST", where, manifest, query={"dryRun": "All", "fieldValidation": "Strict"})
    except ApiError as error:
        return f"API server: {error}"
    return ""


def refused_by_istio(made: Sequence[Manifest], folder: Any) -> Mapping[str, str]:
    """Why Istio refuses manifests, by their names."""
    file = folder / "all.yaml"
    file.write_text("\n---\n".join(map(json.dumps, made)))  # in YAML `y` would have to be quoted, which PyYAML does not
    done = subprocess.run([istioctl(), "validate", "-f", str(file)], capture_output=True, text=True, timeout=170)
    assert "failed to decode" not in done.stderr, done.stderr[-2000:]
    # Warnings come first, in the same form.
    _, _, errors = done.stderr.rpartition("Error: ")
    return {found[3]: f"Istio: {found[4]}" for found in REFUSED.finditer(errors)}


@pytest.fixture
def differing(tmp_path: Any) -> Callable[[Sequence[Manifest]], list[str]]:
    """The manifests on which our verdict is not theirs. A manifest is refused if one of the two refuses it."""
    kubectl("create", "namespace", "demo", check=False)
    client = Client.connect()

    def found(made: Sequence[Manifest]) -> list[str]:
        istio = refused_by_istio(made, tmp_path)
        server = client.map_concurrently(lambda one: refused_by_server(client, one), made)
        theirs = [istio.get(one["metadata"]["name"]) or why for one, why in zip(made, server, strict=True)]
        wrong = [text for one, why in zip(made, theirs, strict=True) if (text := compared(one, why))]
        print(f"\n{len(made)} manifests, {sum(map(bool, theirs))} refused, {len(wrong)} verdicts differ")
        return wrong

    return found


def test_each_verdict_on_generated_manifests_is_theirs(differing: Any) -> None:
    made = list(manifests(SEED, COUNT))
    assert sum(1 for one in made if check(one, "demo")) >= 300
    wrong = differing(made)
    assert not wrong, "\n\n".join(wrong[:20])


def test_the_right_answers_of_the_unit_tests_are_theirs(differing: Any) -> None:
    made = [named(one.manifest, f"case-{number}") for number, one in enumerate(CASES)]
    wrong = differing(made)
    assert not wrong, "\n\n".join(wrong[:20])


@pytest.mark.parametrize("metadata", METADATA, ids=str)
def test_the_api_server_judges_metadata_alike(metadata: Manifest) -> None:
    one = styles()[0] | {"metadata": {"name": "made", **metadata}}
    wrong = compared(one, refused_by_server(Client.connect(), one))
    assert not wrong, wrong


def named(manifest: Manifest, name: str) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "name": name}}


def compared(manifest: Manifest, theirs: str) -> str:
    """How our verdict differs from theirs; empty if it does not."""
    ours = [f"{'.'.join(map(str, one.path))}: {one.message}" for one in check(manifest, "demo")]
    if bool(ours) == bool(theirs):
        return ""
    return f"ours: {ours or 'taken'}\ntheirs: {theirs or 'taken'}\n{json.dumps(manifest)}"


def test_the_table_of_fields_is_that_of_the_cluster_s_crds() -> None:
    crds = [json.loads(kubectl("get", "crd", RESOURCES[kind], "-o", "json").stdout) for kind in KINDS]
    found = table(crds)
    assert product.read() == found
