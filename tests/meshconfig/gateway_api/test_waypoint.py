"""`graylane render --waypoint`: a waypoint in each namespace with services, and the label that leads requests there."""

from pathlib import Path

import pytest
import yaml

SPEC = Path(__file__).parents[3] / "examples" / "gateway-api" / "graylane.yaml"
USES = "istio.io/use-waypoint"


def rendered(out):
    return list(yaml.safe_load_all(out))


def test_services_have_the_label_and_the_namespace_has_the_waypoint(graylane):
    code, out, err = graylane("render", "-f", SPEC, "--waypoint", "lanes")
    assert code == 0
    found = rendered(out)
    services = [one for one in found if one["kind"] == "Service"]
    assert {one["metadata"]["labels"][USES] for one in services} == {"lanes"}
    (waypoint,) = (one for one in found if one["spec"].get("gatewayClassName") == "istio-waypoint")
    assert (waypoint["metadata"]["namespace"], waypoint["metadata"]["name"]) == ("demo", "lanes")
    assert waypoint["metadata"]["labels"]["istio.io/waypoint-for"] == "service"
    assert waypoint["spec"]["listeners"] == [{"name": "mesh", "port": 15008, "protocol": "HBONE"}]
    assert f"kubectl label service -n demo cat-svc mouse-svc {USES}=lanes" in err


def test_nothing_else_is_changed(graylane):
    plain = rendered(graylane("render", "-f", SPEC)[1])
    found = rendered(graylane("render", "-f", SPEC, "--waypoint", "lanes")[1])
    for one in found:
        one["metadata"]["labels"].pop(USES, None)
    assert [one for one in found if one["metadata"]["name"] != "lanes"] == plain


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--backend", "istio", "--waypoint", "lanes"],
            "spec.backend: --waypoint: waypoints take routes of",
        ),
        (["--waypoint", "Lanes/x"], "--waypoint: takes a name such as waypoint, not 'Lanes/x'"),
        (["--waypoint", "lanes", "--object"], "--object: prints the groups themselves: leave --waypoint away"),
    ],
)
def test_what_goes_together_with_no_waypoint(graylane, arguments, said):
    code, out, err = graylane("render", "-f", SPEC, *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_two_groups_of_one_namespace_would_both_have_it(graylane, tmp_path):
    text = SPEC.read_text()
    other = text.replace("name: pets", "name: others")
    for name in ("cat", "mouse"):
        other = other.replace(f"{name}-svc", f"{name}2-svc").replace(f"{name}-dp", f"{name}2-dp")
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(other.replace("cat.example.com", "cat2.example.com"))
    code, _, err = graylane("render", "-f", tmp_path, "--waypoint", "lanes")
    assert (code, "put them into one group" in err) == (2, True)
