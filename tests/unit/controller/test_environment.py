"""What a controller process is told, and how it logs."""

import io
import json
import logging

import pytest

from controller import logs
from controller.assembly import CONTROLLERS
from controller.environment import cluster_domain, read


def test_without_a_word_everything_runs(tmp_path):
    process, problems = read({}, (), tmp_path / "none")
    assert problems == []
    assert process.names == set(CONTROLLERS)
    around = process.around
    assert (around.system_namespace, around.place.cluster_domain) == ("knative-serving", "cluster.local")
    assert around.gateways.private == "penstock-gateway-internal.knative-serving.svc.cluster.local"
    addresses = around.addresses
    assert (addresses.gate_port, addresses.stats_port, addresses.announce_port) == (8091, 8080, 8092)


def test_surroundings_are_variables(tmp_path):
    said = {
        "SYSTEM_NAMESPACE": "sys", "CLUSTER_DOMAIN": "corp.local", "GATE_PORT": "0", "STATS_PORT": "9",
        "INGRESS_CLASS": "mine", "GATEWAY_PUBLIC": "gw.example.com", "POD_NAME": "p", "LISTEN_HOST": "127.0.0.1",
    }  # fmt: skip
    process, _ = read(said, ("service",), tmp_path / "none")
    around = process.around
    assert (around.gateways.ingress_class, around.gateways.public) == ("mine", "gw.example.com")
    assert around.gateways.private == "penstock-gateway-internal.sys.svc.corp.local"
    assert (around.addresses.host, around.addresses.gate_port, around.addresses.stats_port) == ("127.0.0.1", 0, 9)
    assert process.identity.startswith("p_")
    assert process.identity != read(said, (), tmp_path)[0].identity


def test_every_problem_is_named(tmp_path):
    process, problems = read({"GATE_PORT": "-1", "STATS_PORT": "65536", "LOG_LEVEL": "x"}, ("odd",), tmp_path)
    assert process is None
    assert len(problems) == 4
    assert 'GATE_PORT is "-1"' in "\n".join(problems)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("nameserver 10.0.0.1\nsearch ns.svc.corp.local svc.corp.local corp.local\n", "corp.local"),
        ("search svc.corp.local.\n", "corp.local"),
        ("search example.com\n", "cluster.local"),
    ],
)
def test_the_cluster_domain_stands_in_the_search_list(tmp_path, text, domain):
    (tmp_path / "resolv.conf").write_text(text)
    assert cluster_domain(tmp_path / "resolv.conf") == domain


def test_a_log_line_is_one_object():
    stream = io.StringIO()
    before = logging.getLogger().handlers[:]
    try:
        logs.start("info", stream)
        log = logging.getLogger("penstock.test")
        log.debug("left out")
        log.warning('a "quoted"\nline')
        try:
            raise ValueError("x")
        except ValueError:
            log.exception("a defect")
    finally:
        logging.getLogger().handlers[:] = before
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["severity"], first["logger"], first["message"]) == ("warn", "penstock.test", 'a "quoted"\nline')
    assert "ValueError: x" in second["stacktrace"]
