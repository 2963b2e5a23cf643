"""A Kafka of its own: one node in KRaft mode, from Maven's artifacts, which stay in the user's cache by version."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from broker_process import CACHE, BrokerProcess, free_port
from confluent_kafka.admin import AdminClient, NewTopic

VERSION = "4.3.1"
TOOLS = ("java", "mvn")
# Small and soon ready: the tests measure no throughput.
JAVA = ["java", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


def missing():
    """The tools that this machine does not have."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


class Kafka:
    """A broker on loopback; its topics and groups outlive a restart."""

    def __init__(self, folder):
        self.folder, self.port = Path(folder), free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        classpath = ["-cp", f"{libraries()}/*"]
        settings = self.folder / "server.properties"
        settings.write_text(_SETTINGS.format(port=self.port, controller=free_port(), data=self.folder / "data"))
        run([*JAVA, *classpath, "kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c", str(settings)])
        self._process = BrokerProcess([*JAVA, *classpath, "kafka.Kafka", str(settings)], self.port, folder)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._process.stop()

    def start(self):
        """Start it, also again, with the topics and groups that it had."""
        self._process.start()
        AdminClient({"bootstrap.servers": self.bootstrap}).list_topics(timeout=60)

    def kill(self):
        """End it as a crash would."""
        self._process.kill()

    def stop(self):
        """End it in order."""
        self._process.stop()

    def create(self, topic, partitions):
        """Make a topic, and wait for it."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        admin.create_topics([NewTopic(topic, partitions, 1)], operation_timeout=30)[topic].result(60)


def libraries():
    """The folder of Kafka's jars; Maven fetches them where the cache does not have this version.

    Raises:
        RuntimeError: Maven could not; with the end of what it said.
    """
    folder = CACHE / f"kafka-{VERSION}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            Path(scratch, "pom.xml").write_text(_POM.format(version=VERSION))
            run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"], cwd=scratch)
            # Another run may have been sooner.
            if not folder.exists():
                Path(scratch, "jars").rename(folder)
    return folder


def run(command, **how):
    """Run a command that has to succeed.

    Raises:
        RuntimeError: it did not; with the end of what it said.
    """
    done = subprocess.run(command, capture_output=True, text=True, **how)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


_CLUSTER = "Z3JheWxhbmUtdGVzdHMtMQ"  # any 16 bytes, in base64 for URLs
_POM = """<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>graylane</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version></dependency>
  </dependencies>
</project>
"""
_SETTINGS = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
log.dirs={data}
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
auto.create.topics.enable=false
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""
