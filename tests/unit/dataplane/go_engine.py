"""Go engine: runs a template with Go's text/template, in a process of its own."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

from dataplane.accesslog import Record
from dataplane.templates.request import Revision
from loadtests.tools import go_build

SOURCE = Path(__file__).parent / "gotemplate"
REVISION = Revision(
    name="hello-00001",
    namespace="default",
    service="hello",
    configuration="hello",
    pod_name="hello-00001-abc",
    pod_ip="10.0.0.7",
)


class GoEngine:
    """One running gotemplate; ask() as often as wanted."""

    def __init__(self, binary: Path) -> None:
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, template: bytes, record: Record) -> tuple[str, bytes]:
        """What Go makes of it: ("ok", output), ("parse", reason) or ("exec", reason)."""
        head = f"{record.method} ".encode() + record.target + f" {record.proto}\r\nHost: {record.host}\r\n".encode()
        head += b"".join(name + b": " + value + b"\r\n" for name, value in record.headers) + b"\r\n"
        question = {
            "Template": template.decode(),
            "Head": base64.b64encode(head).decode(),
            "Remote": record.remote_addr,
            "TLS": record.tls,
            "Length": record.content_length,
            "Code": record.status,
            "Size": record.response_bytes,
            "Latency": record.latency_s,
            "Revision": {
                "Name": REVISION.name,
                "Namespace": REVISION.namespace,
                "Service": REVISION.service,
                "Configuration": REVISION.configuration,
                "PodName": REVISION.pod_name,
                "PodIP": REVISION.pod_ip,
            },
        }
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if answer["Parse"]:
            return "parse", answer["Parse"].encode()
        if answer["Exec"]:
            return "exec", answer["Exec"].encode()
        return "ok", base64.b64decode(answer["Output"] or "")

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()


def build(folder: Path) -> Path:
    """The gotemplate program, built in `folder`."""
    binary = folder / "gotemplate"
    go_build(SOURCE, binary)
    return binary
