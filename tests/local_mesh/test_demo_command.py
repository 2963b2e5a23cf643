"""`graylane demo` with the real demo services."""

import pytest

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

CHAINS = """\
env: gray gray gray gray
env: prod prod prod prod
env: daily prod prod –
no header prod prod –
env: nobody, env: gray gray gray gray
env: gray,prod prod prod –
env: gray – gray gray
env: prod – prod prod
env: daily – prod daily
no header – prod –
env: gray gray prod gray
""".splitlines()


def rows(output):
    """Of each row of the table: what was asked, and who answered."""
    found = [line.split("  ") for line in output.splitlines() if line.rstrip().endswith(("✓", "✗"))]
    parts = [[cell.strip() for cell in row if cell.strip()] for row in found]
    return [" ".join(" ".join([*row[:-5], *row[-4:-1]]).split()) for row in parts]


def test_two_demos_at_once_find_every_chain_as_expected_and_leave_nothing(graylane):
    one, other = graylane("demo"), graylane("demo")
    assert one.wait() == 0, one.what_it_said()
    assert other.wait() == 0, other.what_it_said()
    assert rows(one.output) == CHAINS
    assert "✗" not in one.output
    assert one.left() == other.left() == []


def test_a_chain_that_is_not_the_expected_one_is_marked_and_exits_1(graylane, files):
    spec = files / "graylane.yaml"
    spec.write_text(spec.read_text().replace("gray: {}", "gray: {versions: {mouse: prod}}"))
    run = graylane("demo", "-f", str(spec))
    assert run.wait() == 1, run.what_it_said()
    assert "expected cat gray → mouse gray, saw gray; got cat gray → mouse prod, saw gray" in run.output
    assert run.output.count("✗") == 3  # gray, gray twice, and gray of mouse directly
    assert run.left() == []


def test_a_spec_that_the_demo_cannot_ask_is_refused(graylane, files):
    spec = files / "graylane.yaml"
    spec.write_text(spec.read_text().replace("mouse:\n", "mice:\n").replace("calls: [mouse]", "calls: [mice]"))
    (files / "local.yaml").write_text((files / "local.yaml").read_text().replace("mouse", "mice"))
    run = graylane("demo", "-f", str(spec))
    assert run.wait() == 2
    assert run.output == f"{spec}: the demo asks cat, which calls mouse: it needs mouse in versions prod and gray"
