"""Prometheus, the real one: scrapes a real sidecar and answers a query about it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from tests.sidecarfixture import METRICS_PORT
from tests.waiting import until

CONFIG = """\
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: revision
    static_configs:
      - targets: ["{address}:{port}"]
"""
START_S = 60.0


class Prometheus:
    """Debian's server with a folder of its own, ended by its pid."""

    def __init__(self, folder, config: str) -> None:
        with socket.socket() as end:
            end.bind(("127.0.0.1", 0))
            port = end.getsockname()[1]
        (folder / "prometheus.yml").write_text(config)
        self.url = f"http://127.0.0.1:{port}"
        self.log = open(folder / "log", "wb")  # noqa: SIM115
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=self.log,
            stderr=self.log,
        )

    def ask(self, query: str) -> list:
        """The samples that answer a query; none while it is not up yet."""
        address = f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return json.load(answer)["data"]["result"]
        except (urllib.error.URLError, ConnectionError):
            assert self.process.poll() is None, "Prometheus has ended"
            return []

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


@pytest.fixture
def prometheus(tmp_path):
    made: list[Prometheus] = []

    def make(config: str) -> Prometheus:
        made.append(Prometheus(tmp_path, config))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.spec("DP-135", "DP-137", "DP-141")
def test_prometheus_scrapes_the_sidecar_and_answers_for_it(sidecar, prometheus):
    s = sidecar(
        OBSERVABILITY_CONFIG={"requestMetrics": {"protocol": "prometheus"}},
        PENSTOCK_METRIC_NAMES="both",
        CONTAINER_CONCURRENCY="5",
    )
    for _ in range(7):
        assert s.get("/").status == 200
    server = prometheus(CONFIG.format(address=s.address, port=METRICS_PORT))
    count = "sum by (http_response_status_code) (http_server_request_duration_seconds_count)"
    (sample,) = until(lambda: server.ask(count), "Prometheus has scraped", START_S)
    assert sample["metric"] == {"http_response_status_code": "200"}
    assert sample["value"][1] == "7"
    assert server.ask("up")[0]["value"][1] == "1"
    joined = "kn_serving_queue_depth * on(instance) group_left(kn_revision_name) target_info"
    assert server.ask(joined)[0]["metric"]["kn_revision_name"] == "hello-00001"
    assert server.ask("histogram_quantile(0.99, revision_request_latencies_bucket)")
