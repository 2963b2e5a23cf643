"""Moto's server as SQS: queues, visibility timeouts, redrive policies and tags, in the memory of a process."""

import sys

import boto3
from botocore.config import Config
from broker_process import BrokerProcess, free_port


class SQS:
    """The server; `client()` as a service would make it."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = BrokerProcess(command, self.port, folder)
        self.pause, self.resume = self._process.pause, self._process.resume

    def __enter__(self):
        self._process.start()
        return self

    def __exit__(self, *_):
        self._process.kill()

    def client(self):
        """A client of boto3 for this server."""
        return client_of(self.url)


def client_of(url):
    """A client of boto3 for the server at `url`, which gives up soon on one that hangs."""
    return boto3.client(
        "sqs",
        endpoint_url=url,
        region_name="eu-central-1",
        aws_access_key_id="tests",
        aws_secret_access_key="tests",
        config=Config(read_timeout=5, retries={"total_max_attempts": 1}),
    )
