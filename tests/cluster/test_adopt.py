"""A mesh that people wrote by hand is imported, adopted, given a lane, rolled back, and given back, under load: no
request fails, and none is answered half by one state and half by another.

The hand-written mesh: a Gateway and a VirtualService at it, header routes and weights between three services, one
resource with the name that graylane's would have, and a DestinationRule whose name is another.
"""

import subprocess
from dataclasses import dataclass

import load
import pytest
import yaml
from load_judge import total, wrong
from load_mesh import GRAYLANE, Graylane, apply, available
from load_story import Story
from load_world import CHAIN, GROUP, HOST, NAMESPACE, PORT, TAGS, deployments, surroundings
from mesh_cluster import WRITTEN, gateway_address, istio, kubectl
from soak import SOAK

pytestmark = pytest.mark.cluster
ENOUGH, ROUNDS = (10_000, 2) if SOAK else (5_000, 1)
LONGEST = 1800.0  # seconds of load, at most
TAGGED = {"headers": {"env": {"exact": "gray"}}}
NAMES = {"cat": "cat-routes", "mouse": "mouse-svc", "dog": "dog-routes"}  # mouse's is the one that graylane gives it
SHARES = (("v1", 80), ("v2", 20))  # of untagged requests, at dog


@dataclass(frozen=True)
class Hand:
    """The routes as they are at first, and after each change. `blue`: whether this lane is there."""

    blue: bool = False

    def allowed(self):
        untagged = frozenset((("cat", "v1"), ("mouse", "v1"), ("dog", version)) for version, _ in SHARES)
        lanes = {"gray": frozenset([tuple((name, "v2") for name in CHAIN)])}
        if self.blue:
            lanes["blue"] = frozenset([(("cat", "v3"), ("mouse", "v1"), ("dog", "v3"))])
        return {tag: lanes.get(tag, untagged) for tag in TAGS}


def handwritten():
    gateway = {"selector": {"istio": "ingressgateway"}, "servers": [_server()]}
    made = [istio("Gateway", "shop", gateway), istio("VirtualService", "shop", _routes("cat", [HOST], ["shop"]))]
    for name in CHAIN:
        subsets = [{"name": one, "labels": {"version": one}} for one in ("v1", "v2")]
        made.append(istio("DestinationRule", f"{name}-versions", {"host": f"{name}-svc", "subsets": subsets}))
        made.append(istio("VirtualService", NAMES[name], _routes(name, [f"{name}-svc"])))
    for one in made:
        one["metadata"]["namespace"] = NAMESPACE
    return made


def _server():
    return {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [HOST]}


def _routes(name, hosts, gateways=None):
    shares = SHARES if name == "dog" else (("v1", None),)
    http = [{"match": [TAGGED], "route": [_to(name, "v2")]}, {"route": [_to(name, *share) for share in shares]}]
    return {"hosts": hosts, **({"gateways": gateways} if gateways else {}), "http": http}


def _to(name, subset, weight=None):
    destination = {"host": f"{name}-svc", "subset": subset, "port": {"number": PORT}}
    return {"destination": destination, **({"weight": weight} if weight else {})}


@pytest.fixture
def story(tmp_path):
    """The namespace with v1, v2 and v3 running, and the routes as people wrote them."""
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    apply(surroundings())
    for version in ("v1", "v2", "v3"):
        apply(deployments(version))
    available()
    # As people do: the server then knows kubectl as the owner of the fields.
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(handwritten()))
    yield Story(gateway_address(), HOST, tmp_path / "requests.jsonl", Hand())
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def imported(file):
    """The imported spec, which has to decide as the mesh does."""
    command = [GRAYLANE, "import", "--live", "-n", NAMESPACE, "--group", GROUP, "-o", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all decided as before" in done.stderr
    return done.stderr


def with_blue(text):
    """The spec with v3 of cat and dog, and a lane for it."""
    spec = yaml.safe_load(text)
    spec["spec"]["lanes"]["blue"] = {"versions": {"cat-svc": "v3", "dog-svc": "v3"}}
    for name in ("cat-svc", "dog-svc"):
        spec["spec"]["services"][name]["versions"]["v3"] = {"labels": {"version": "v3"}, "workload": f"{name[:3]}-v3"}
    return yaml.safe_dump(spec, sort_keys=False)


def there():
    """The specs of Istio's resources in the namespace, by kind and name."""
    found = yaml.safe_load(kubectl("get", WRITTEN, "-n", NAMESPACE, "-o", "yaml").stdout)["items"]
    routing = [one for one in found if one["kind"] in ("VirtualService", "DestinationRule", "Gateway")]
    return {(one["kind"], one["metadata"]["name"]): one["spec"] for one in routing}


def test_a_handwritten_mesh_is_adopted_and_given_back_without_losing_a_request(story, tmp_path):
    graylane, originals = Graylane(tmp_path), there()
    said = imported(graylane.spec)
    assert "replaces: " in said
    story.ready()
    try:
        with load.load(story.address, HOST, TAGS, story.out, seconds=LONGEST):
            _lives(story, graylane, originals)
            story.until_enough(ENOUGH, LONGEST / 3)
    finally:
        print(story.tell("import, adopt, add a lane, roll back, give back"))
    whole = total(story.rows())
    assert (whole.failed, whole.mixed) == (0, 0), wrong(story.rows())
    assert whole.sent >= ENOUGH


def _lives(story, graylane, originals):
    text, spec = graylane.spec.read_text(), str(graylane.spec)
    refused = subprocess.run(
        [GRAYLANE, "apply", "-f", spec], env=graylane.environment, capture_output=True, text=True, timeout=120
    )
    assert refused.returncode == 1
    assert "--adopt takes it over" in refused.stderr
    plan = graylane.run("apply", "-f", spec, "--adopt", "--dry-run")
    assert "takes over VirtualService graylane-load/mouse-svc" in plan
    assert "replaces VirtualService graylane-load/cat-routes" in plan
    assert there() == originals
    with story.change("adopt", Hand()):
        graylane.run("apply", "-f", spec, "--adopt")
    assert {name for kind, name in there() if kind == "VirtualService"} == {
        "load-example-com",
        *(f"{name}-svc" for name in CHAIN),
    }
    for number in range(ROUNDS):
        with story.change(f"a new lane, {number}", Hand(blue=True)):
            graylane.spec.write_text(with_blue(text))
            graylane.run("apply", "-f", spec)
        with story.change(f"roll back the lane, {number}", Hand()):
            graylane.run("rollback", GROUP, "-n", NAMESPACE)
    with story.change("give back", Hand()):
        graylane.run("rollback", GROUP, "-n", NAMESPACE, "--to", "0")
    assert there() == originals
    with story.change("adopt again", Hand()):
        graylane.spec.write_text(text)
        graylane.run("apply", "-f", spec, "--adopt")
