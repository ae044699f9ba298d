"""Images: the sidecar's, made by its Containerfile, and an app's, of one program."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

from tests.cluster.kit import ROOT, run

WORK = ROOT / "build" / "cluster"
SIDECAR = "localhost/penstock-queue-proxy:test"
APP = "localhost/penstock-app:test"
BASE = "localhost/penstock-base:test"
BUILDAH = ("buildah", "--storage-driver", "vfs")
ISOLATION = {"BUILDAH_ISOLATION": "chroot"}
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def buildah(*words: str) -> str:
    return run(*BUILDAH, *words, env=ISOLATION).strip()


def make_base() -> str:
    """The image that the build stages start from: PENSTOCK_IMAGE_BASE, or a Debian made here without a registry."""
    named = os.environ.get("PENSTOCK_IMAGE_BASE")
    if named:
        return named
    tree = WORK / "base.tar"
    if not tree.exists():
        unfinished = tree.with_suffix(".part.tar")
        run("mmdebstrap", "--variant=minbase", "bookworm", str(unfinished))
        unfinished.rename(tree)
    if BASE not in buildah("images", "--format", "{{.Name}}:{{.Tag}}").splitlines():
        commit(BASE, (tree, "/"))
    return BASE


def commit(name: str, *parts: tuple[Path, str], entrypoint: str = "") -> None:
    """An image of plain files."""
    container = buildah("from", "scratch")
    for source, path in parts:
        buildah("add", container, str(source), path)
    if entrypoint:
        buildah("config", "--entrypoint", json.dumps([entrypoint]), "--user", "65532:65532", container)
    buildah("commit", "-q", container, name)
    buildah("rm", container)


def export(name: str) -> Path:
    """The image as an OCI archive with compressed layers, as a registry would hold it."""
    archive = WORK / f"{name.rpartition('/')[2].replace(':', '_')}.tar"
    archive.unlink(missing_ok=True)
    buildah("push", "-q", name, f"oci-archive:{archive}:{name}")
    return archive


def make_sidecar() -> Path:
    WORK.mkdir(parents=True, exist_ok=True)
    # A machine behind a proxy with an authority of its own: the build believes whom the machine believes.
    trust = (
        ("--volume", f"{CERTIFICATES}:/usr/local/share/ca-certificates/host.crt:ro") if CERTIFICATES.exists() else ()
    )
    base = make_base()
    arguments = ("--build-arg", f"BASE={base}", "-f", str(ROOT / "dataplane" / "Containerfile"), "-t", SIDECAR)
    buildah("bud", "-q", *trust, *arguments, str(ROOT))
    return export(SIDECAR)


def make_app() -> Path:
    program = WORK / "app"
    run(
        "go",
        "build",
        "-C",
        str(ROOT / "loadtests" / "origin" / "app"),
        "-o",
        str(program),
        ".",
        env={"CGO_ENABLED": "0"},
    )
    commit(APP, (program, "/app"), entrypoint="/app")
    return export(APP)


def compressed_bytes(archive: Path) -> int:
    """What a registry would send: all layers."""
    with tarfile.open(archive) as tar:

        def document(name: str) -> dict[str, list[dict[str, int | str]]]:
            file = tar.extractfile(name)
            assert file is not None
            found: dict[str, list[dict[str, int | str]]] = json.load(file)
            return found

        digest = str(document("index.json")["manifests"][0]["digest"])
        layers = document(f"blobs/sha256/{digest.removeprefix('sha256:')}")["layers"]
        return sum(int(layer["size"]) for layer in layers)
