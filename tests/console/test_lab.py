"""The console of a cluster, in Chromium, while thirty requests a second come in: the four acts, history, a rollout with
an approval, a question, the hop that loses the tag, and who may not. No request fails, and none is mixed.

The tests are one story, in their order; what each needs of the one before is there or the test fails.
"""

import os
import re
from typing import Any

import console_lab
import load
import pytest
from console_browser import Person
from console_lab import HOST, NAMESPACE, SPEC, State
from load_judge import total
from load_mesh import apply
from load_story import Story
from mesh_cluster import ROLLOUTS, forget, gateway_address, kubectl, own_kinds
from playwright.sync_api import expect
from rollout_command import Controller
from rollout_command import Person as Operator
from rollout_mesh import rollout

pytestmark = [
    pytest.mark.console,
    pytest.mark.skipif("KUBECONFIG" not in os.environ, reason="needs a cluster: make console-test starts the lab"),
]

LONGEST, RATE = 900.0, 30.0
GROUP = f"/g/{NAMESPACE}/{console_lab.GROUP}"
BEGIN = State()
GRAY = State(gray=("v2",))
BOTH = State(cat=("v1", "v2"), gray=("v2",))
TAKEN = State(cat=("v2",), gray=("v2",))
MOVING = State(cat=("v2",), mouse=("v1", "v2"), gray=("v2",))
MOVED = State(cat=("v2",), mouse=("v2",), gray=("v2",))
HOSTILE = '<img src=x onerror="document.title=1">'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("console")


@pytest.fixture(scope="module")
def story(folder):
    """The group as it begins, and requests until the last test has ended."""
    own_kinds()
    forget(ROLLOUTS, NAMESPACE)
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    apply(console_lab.manifests())
    console_lab.settled()
    Operator(folder).apply(SPEC)
    console_lab.operator(folder)
    console_lab.telemetry(folder)
    one = Story(gateway_address(), HOST, folder / "requests.jsonl", BEGIN)
    one.ready()
    with load.load(one.address, HOST, ("", "gray"), one.out, seconds=LONGEST, rate=RATE):
        yield one
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="module")
def address(story, folder, browser):
    with console_lab.console(folder / "graylane.kubeconfig", f"--otlp-listen=0.0.0.0:{console_lab.OTLP_PORT}") as one:
        yield one


@pytest.fixture(scope="module")
def person(address, browser, axe):
    one = Person(browser, address, axe)
    one.page.set_default_timeout(90_000)
    yield one
    one.close()


def carry_out(page, story, name, to):
    """From a preview to the change's end."""
    expect(page.get_by_role("heading", name="The change, before it is made")).to_be_visible()
    with story.change(name, to):
        page.get_by_role("button", name="Carry out").click()
        expect(page.get_by_role("status")).to_have_text("Done", timeout=120_000)


def service(person, name):
    return person.open(f"{GROUP}/versions/of/{name}")


def test_a_version_is_added(person, story):
    page = service(person, "cat")
    page.get_by_label("Name of the version").fill("v2")
    page.get_by_label("Labels", exact=True).last.fill("version=v2")
    page.get_by_role("button", name="Show diff and plan").last.click()
    expect(page.locator(".diff .added").first).to_be_visible()
    person.picture("preview")
    carry_out(page, story, "cat v2 is added", BEGIN)
    person.picture("change")


def test_a_lane_is_added(person, story):
    page = person.open(f"{GROUP}/versions")
    page.get_by_label("Name of the lane").fill("gray")
    page.get_by_label("Version of each service").fill("cat=v2")
    page.get_by_role("button", name="Show diff and plan").click()
    carry_out(page, story, "lane gray is added", GRAY)


def weights(person, first, second):
    page = service(person, "cat")
    page.get_by_role("spinbutton", name="v1", exact=True).fill(first)
    page.get_by_role("spinbutton", name="v2", exact=True).fill(second)
    page.get_by_role("button", name="Show diff and plan").first.click()
    return page


def test_weights_change_and_the_second_of_two_people_is_told(person, story, browser, address, axe):
    other = Person(browser, address, axe)
    stale = weights(other, "90", "10")
    carry_out(weights(person, "70", "30"), story, "weights 70 to 30", BOTH)
    stale.get_by_role("button", name="Carry out").click()
    expect(stale.get_by_role("status")).to_have_text("Not completed", timeout=60_000)
    expect(stale.locator("main")).to_contain_text("changed")
    other.close()
    expect(person.open(f"{GROUP}/versions").get_by_role("row").filter(has_text="cat")).to_contain_text("v1 70, v2 30")


def test_the_lanes_show_the_shares_and_pods(person):
    page = person.open(f"{GROUP}/lanes")
    expect(page.locator("#table")).to_contain_text("30 %")
    person.picture("lanes")


def test_a_revision_is_compared_and_gone_back_to(person, story):
    page = person.open(f"{GROUP}/history")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".diff")).to_contain_text("weights")
    page = person.open(f"{GROUP}/history")
    person.picture("history")
    page.get_by_role("button", name="Roll back to revision").first.click()
    carry_out(page, story, "back to the revision before", GRAY)


def test_the_hop_that_loses_the_tag_is_found(person):
    """Now, while lane gray alone leads to v2: it carries no request id, by which it could be judged later."""
    page = person.open(f"{GROUP}/carry")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="cat/v2"))
    expect(row).to_contain_text("loses the tag", timeout=60_000)
    expect(page.get_by_role("heading", name="Lost by cat/v2")).to_be_visible()
    expect(page.get_by_role("region", name="Calls of cat/v2 that lost the tag")).to_contain_text("/sayHello")
    person.picture("carry")


def test_a_version_takes_over_and_the_old_one_is_retired(person, story):
    page = service(person, "cat")
    page.get_by_role("button", name="Take over by version v2").click()
    carry_out(page, story, "cat v2 takes over", TAKEN)
    page = service(person, "cat")
    page.get_by_role("button", name="Retire version v1").click()
    carry_out(page, story, "cat v1 is retired", TAKEN)
    expect(service(person, "cat").get_by_role("rowheader", name="v1")).to_have_count(0)


def test_the_graph_shows_the_lanes_edges(person):
    page = person.open(f"{GROUP}/graph")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="gray", exact=True))
    # It is counted from the first look on, and shown once the sidecars have sent their logs.
    expect(row.filter(has_text="from outside").filter(has_text="cat/v2")).to_be_visible(timeout=60_000)
    person.picture("graph")


def test_a_question_is_explained_and_sent(person):
    page = person.open(f"{GROUP}/ask?host={HOST}&path=/sayHello&lane=gray")
    expect(page.get_by_role("region", name="By the routes")).to_contain_text("cat/v2")
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_role("region", name="Really answered")).to_contain_text("cat/v2 → mouse/v1 → dog/v1")
    person.picture("ask")


def test_a_rollout_is_approved_with_a_note(person, story, folder):
    steps: list[dict[str, Any]] = [{"weight": 50}, {"pause": {}}, {"weight": 100}]
    text = rollout("mouse-v2", "v2", steps).replace("    cat:\n      from: v1\n      to: v2\n", "")
    text = text.replace(f"  entry: {HOST}\n", "")
    with Controller(folder):
        with story.change("a rollout begins", MOVING):
            Operator(folder).start(text)
            page = person.open(f"{GROUP}/rollouts/mouse-v2")
            expect(page.locator("#rollout")).to_contain_text("awaiting approval", timeout=120_000)
            page = person.open(f"{GROUP}/rollouts")
            person.picture("rollouts")
            page.get_by_role("link", name="mouse-v2").click()
        page.get_by_label("Note, for the log").fill(f"as before {HOSTILE}")
        person.picture("rollout")
        with story.change("approved", MOVED):
            page.get_by_role("button", name="Approve").click()
            expect(page.locator("#rollout")).to_contain_text("Succeeded", timeout=120_000)
        expect(page.get_by_role("row").filter(has_text="approve")).to_contain_text(f"as before {HOSTILE}")
        expect(page.locator("main img")).to_have_count(0)
        expect(page.get_by_role("row").filter(has_text="approve")).to_contain_text(
            f"serviceaccount:{NAMESPACE}:graylane"
        )


def refused(one):
    """A person without the right carries a change out, and is told; nothing is written."""
    page = service(one, "mouse")
    page.get_by_role("spinbutton", name="v1", exact=True).fill("50")
    page.get_by_role("spinbutton", name="v2", exact=True).fill("50")
    page.get_by_role("button", name="Show diff and plan").first.click()
    before = kubectl("get", "virtualservices.networking.istio.io", "-n", NAMESPACE, "-o", "yaml").stdout
    page.get_by_role("button", name="Carry out").click()
    expect(page.locator("main")).to_contain_text(re.compile("may not|cannot|forbidden"), timeout=60_000)
    assert kubectl("get", "virtualservices.networking.istio.io", "-n", NAMESPACE, "-o", "yaml").stdout == before
    one.trouble.clear()  # the browser reports the status 403 as an error
    one.close()


def test_a_viewer_can_change_nothing_and_is_told_so(story, folder, browser, axe):
    with console_lab.console(console_lab.viewer(folder)) as address:
        refused(Person(browser, address, axe))


def test_a_viewers_token_at_a_console_for_many_can_change_nothing_either(story, folder, browser, axe):
    with console_lab.public(console_lab.viewer(folder)) as (login, token):
        one = Person(browser, login, axe)
        one.page.get_by_label("Token").fill(token)
        one.page.get_by_role("button", name="Log in").click()
        expect(one.page.locator("header")).to_contain_text(f"serviceaccount:{NAMESPACE}:graylane-viewer")
        refused(one)


PAGES = (
    "lanes",
    "graph",
    "graph?lane=gray",
    f"ask?host={HOST}&path=/sayHello&lane=gray",
    "carry",
    "versions",
    "versions/of/mouse",
    "versions/preview?act=weights&service=mouse&weight.v1=50&weight.v2=50",
    "previews",
    "history",
    "history/diff?from=1&to=2",
    "rollouts",
    "rollouts/mouse-v2",
)


def test_axe_finds_nothing_on_any_page(person):
    found = person.audit("/")
    for page in PAGES:
        found += person.audit(f"{GROUP}/{page}")
    assert found == [], "\n".join(found)


def test_no_request_failed_and_none_was_mixed(story):
    rows = story.rows()
    print(story.tell("the console under load"))
    assert sum(row.sent for row in rows) > 500
    assert (total(rows).failed, total(rows).mixed) == (0, 0), total(rows).reasons
