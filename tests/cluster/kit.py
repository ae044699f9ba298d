"""Kit: a real Kubernetes to test on, and how images get into it.

What KUBECONFIG names, with images loaded by the command PENSTOCK_IMAGE_LOAD (it
gets the file of an OCI archive); else the kit that PENSTOCK_CLUSTER_KIT names,
which is brought up, and taken down again if it was not up before.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
KIT = Path(os.environ.get("PENSTOCK_CLUSTER_KIT") or ROOT.parent / "shared" / "cluster")


class NoCluster(Exception):
    """There is nothing to test on; the message is one line that says what would be."""


def run(*command: str, stdin: str | None = None, env: Mapping[str, str] | None = None) -> str:
    """What a command prints. Raises RuntimeError with its own words when it fails."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, env={**os.environ, **(env or {})})
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


class Cluster:
    """A running cluster, and a namespace in it."""

    def __init__(self) -> None:
        self.namespace = "penstock-test"
        self.env: dict[str, str] = {}
        self.load_command: list[str] = []
        self.is_ours = False

    def open(self) -> None:
        """Raises NoCluster when neither variable leads to a cluster."""
        if os.environ.get("KUBECONFIG"):
            load = os.environ.get("PENSTOCK_IMAGE_LOAD")
            if not load:
                raise NoCluster(
                    "cluster-test: KUBECONFIG is set; set PENSTOCK_IMAGE_LOAD to a command that loads an image"
                )
            self.load_command = shlex.split(load)
        elif (KIT / "cluster").exists():
            kit = str(KIT / "cluster")
            self.is_ours = " runs " not in run(kit, "status")
            run(kit, "up")
            self.load_command = [kit, "load"]
            self.env = shell_variables(run(kit, "env"))
        else:
            raise NoCluster(
                "cluster-test: no cluster: set KUBECONFIG, or PENSTOCK_CLUSTER_KIT to the folder of the kit"
            )
        self.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=true")
        self.kubectl("create", "namespace", self.namespace)

    def close(self) -> None:
        self.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=false")
        if self.is_ours:
            run(str(KIT / "cluster"), "down")

    def load(self, archive: Path) -> None:
        run(*self.load_command, str(archive))

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return run("kubectl", "-n", self.namespace, *words, stdin=stdin, env=self.env)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(listed))

    def get(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", *words, "-o", "json"))
        return found


def shell_variables(lines: str) -> dict[str, str]:
    """The variables that a shell has after these lines."""
    shown = run("bash", "-c", f"{lines}\nenv -0")
    pairs = (pair.partition("=") for pair in shown.split("\0") if pair)
    return {name: value for name, _, value in pairs if os.environ.get(name) != value}
