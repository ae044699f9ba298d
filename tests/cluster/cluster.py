"""Cluster: a real Kubernetes for these tests, and kubectl to talk to it.

Whatever KUBECONFIG names; there PENSTOCK_IMAGE_LOAD is a command that brings an
OCI archive, its last word, onto every node. Without KUBECONFIG, the kit in the
folder that PENSTOCK_CLUSTER_KIT names (default ../shared/cluster), which is
started here and brought down again.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
KIT_DEFAULT = ROOT.parent / "shared" / "cluster"
COMMAND_TIMEOUT_S = 180


class ClusterError(Exception):
    """There is no cluster, or it does not do as it is told."""


def say(line: str) -> None:
    """One line for whoever runs `make cluster-test`."""
    print(f"\n  {line}", flush=True)


def run(argv: list[str], env: dict[str, str] | None = None, stdin: str | None = None) -> str:
    """Output of a command. Raises ClusterError with what it said when it fails."""
    done = subprocess.run(argv, env=env, input=stdin, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S)
    if done.returncode:
        raise ClusterError(f"{shlex.join(argv[:6])}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Cluster:
    """A running cluster.

    environment  what kubectl needs to reach it
    loader       the command that loads archives; they are its last words
    ending       the command that brings the cluster down; empty when it is not ours
    """

    def __init__(self, environment: dict[str, str], loader: list[str], ending: list[str]) -> None:
        self.environment = environment
        self.loader = loader
        self.ending = ending
        found = shutil.which("kubectl", path=environment["PATH"])
        if found is None:
            raise ClusterError("kubectl is not on PATH")
        self.program = found
        self.namespace = "default"

    def argv(self, *words: str) -> list[str]:
        return [self.program, "--namespace", self.namespace, *words]

    def kubectl(self, *words: str) -> str:
        return run(self.argv(*words), self.environment)

    def raw(self, path: str) -> bytes:
        """What the API server answers on a path, byte for byte."""
        done = subprocess.run(
            self.argv("get", "--raw", path), env=self.environment, capture_output=True, timeout=COMMAND_TIMEOUT_S
        )
        if done.returncode:
            raise ClusterError(f"{path}: {done.stderr.decode().strip()}")
        return done.stdout

    def get(self, *words: str) -> Any:
        """An object, or a list of them, as plain values."""
        return json.loads(self.kubectl("get", *words, "--output", "json"))

    def apply(self, *objects: dict[str, Any]) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        run(self.argv("apply", "--filename", "-"), self.environment, text)

    def start(self, *words: str, **pipes: Any) -> subprocess.Popen[str]:
        """A kubectl that goes on until it is told to end."""
        return subprocess.Popen(self.argv(*words), env=self.environment, text=True, **pipes)

    def load(self, archives: Iterable[Path]) -> None:
        for archive in archives:
            run([*self.loader, str(archive)], self.environment)

    def down(self) -> None:
        if self.ending:
            run(self.ending, self.environment)


def find_cluster() -> Cluster:
    """The cluster that the environment names, running.

    Raises  ClusterError when there is none, saying what to set.
    """
    if os.environ.get("KUBECONFIG"):
        loader = shlex.split(os.environ.get("PENSTOCK_IMAGE_LOAD", ""))
        if not loader:
            raise ClusterError("KUBECONFIG is set but PENSTOCK_IMAGE_LOAD is not: name a command that loads an archive")
        return Cluster(dict(os.environ), loader, [])
    kit = Path(os.environ.get("PENSTOCK_CLUSTER_KIT") or KIT_DEFAULT) / "cluster"
    if not kit.is_file():
        raise ClusterError(
            f"no cluster: {kit} does not exist; set KUBECONFIG, or PENSTOCK_CLUSTER_KIT to the kit's folder"
        )
    return start_kit(str(kit))


def start_kit(kit: str) -> Cluster:
    """The first start compiles Kubernetes, so that it has no time limit."""
    if subprocess.run([kit, "up"]).returncode:
        subprocess.run([kit, "down"])
        raise ClusterError(f"{kit} up failed")
    said = run(["sh", "-c", f'eval "$({shlex.quote(kit)} env)" && env -0'])
    environment = dict(pair.split("=", 1) for pair in said.split("\0") if pair)
    return Cluster(environment, [kit, "load"], [kit, "down"])
