"""`graylane console` itself: the address that it prints, and its end."""

import os
import signal
import subprocess
import sys

import httpx
import pytest
from console_world import api_server

COMMAND = [sys.executable, "-c", "from meshconfig.cli import main; main()", "console"]


@pytest.mark.slow
def test_the_printed_address_opens_it_at_once_and_a_signal_ends_it(tmp_path):
    with api_server() as api:
        environment = {**os.environ, "KUBECONFIG": str(api.kubeconfig(tmp_path))}
        process = subprocess.Popen(COMMAND, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            word, address = process.stdout.readline().split()
            with httpx.Client(follow_redirects=True, timeout=60) as browser:
                answer = browser.get(address)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
    assert word == "console"
    assert answer.status_code == 200
    assert "/open/" not in str(answer.url)
    assert (process.returncode, errors) == (0, "")


def test_public_is_for_a_pod(graylane, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    code, _, errors = graylane("console", "--public", "https://console.example.com")
    assert code == 1
    assert "--public is for a Pod" in errors


@pytest.mark.parametrize("url", ["console.example.com", "https://console.example.com/path", "ftp://x", "https://u@x"])
def test_what_is_no_address_for_browsers_is_refused(graylane, url):
    code, _, errors = graylane("console", "--public", url)
    assert code == 2
    assert "takes a URL without a path" in errors
