"""The flags that `python -m demo_services` takes, and the one line for those that it does not."""

import socket

import pytest

from demo_services.__main__ import main
from demo_services.flags import parse

GOOD = ["--name=cat", "--env=prod", "--port=9001"]


@pytest.fixture(autouse=True)
def fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPAGATION_REMOTE_FIELDS", "env,x-request-id")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--nmae=cat"], "--nmae=cat: no such flag; did you mean --name?"),
        ([*GOOD, "--zzz"], "--zzz: no such flag; there are --name, "),
        ([*GOOD, "stray"], "stray: no such flag"),
        (["--name=cat"], "--env, --port: missing"),
        ([*GOOD, "--port=0"], "--port: '0' is not a port (1 to 65535)"),
        ([*GOOD, "--port=٣"], "--port: '٣' is not a port"),
        ([*GOOD, "--port=65536"], "--port: '65536' is not a port"),
        ([*GOOD, "--service-url=mouse-svc:9001"], "--service-url: 'mouse-svc:9001' is not a URL like http://"),
        ([*GOOD, "--service-url=http://[::1"], "--service-url: 'http://[::1' is not a URL"),
        ([*GOOD, "--service-url=http://mouse:99999/"], "--service-url: 'http://mouse:99999/' is not a URL"),
        ([*GOOD, "--stack=asgj"], "--stack: invalid choice: 'asgj'"),
        ([*GOOD, "--fail-rate=101"], "--fail-rate: '101' is not a percentage (0 to 100)"),
        ([*GOOD, "--delay=-1"], "--delay: '-1' is not a number of seconds"),
        ([*GOOD, "--delay=nan"], "--delay: 'nan' is not a number of seconds"),
        ([*GOOD, "--tag=lane"], "--tag: lane is not among PROPAGATION_REMOTE_FIELDS (env, x-request-id)"),
    ],
)
def test_flag_that_cannot_be_used_is_one_line_and_exit_2(
    flags: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(flags)
    line, end = capsys.readouterr().err.split("\n")
    assert (ended.value.code, end) == (2, "")
    assert line.startswith("demo_services: ")
    assert says in line


def test_wrong_environment_is_one_line_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROPAGATION_REMOTE_FIELDS", "env,cookie")
    with pytest.raises(SystemExit) as ended:
        parse(GOOD)
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_port_in_use_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            main([*GOOD, f"--port={port}"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"demo_services: 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.parametrize(("flags", "tag"), [([], "env"), (["--tag=x-request-id"], "x-request-id")])
def test_tag_is_the_first_remote_field_unless_named(flags: list[str], tag: str) -> None:
    assert parse([*GOOD, *flags]).tag == tag


def test_service_url_may_be_given_several_times() -> None:
    urls = ["http://mouse-svc:9001/sayHello", "https://dog-svc/sayHello"]
    assert parse([*GOOD, *(f"--service-url={url}" for url in urls)]).service_url == urls
