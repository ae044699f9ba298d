"""Image: builds the container images of these tests, without a container engine, by buildah.

Ours come from one Containerfile, the app's is one static program. The
base of the build stage is PENSTOCK_IMAGE_BASE, or a Debian made here by
mmdebstrap, so that no registry of images is needed.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from loadtests.tools import go_build
from tests.cluster.cluster import ROOT, ClusterError

WORK = ROOT / "build" / "cluster"
SIDECAR = "localhost/penstock-queue-proxy:test"
PLANES = ("activator", "gateway", "controller")
"""Targets of the Containerfile beside the sidecar's; each has an image of its own."""

APP = "localhost/penstock-app:test"
BASE = "localhost/penstock-base:bookworm"
APP_SOURCES = ROOT / "loadtests" / "origin" / "app"
AUTHORITIES = "/run/authorities.crt"


def built(*argv: str, **variables: str) -> None:
    """Runs a step of a build. Raises ClusterError with the end of what it said when it fails."""
    environment = os.environ | variables
    done = subprocess.run(argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        said = "\n".join(done.stdout.splitlines()[-30:])
        raise ClusterError(f"{' '.join(argv[:3])} failed:\n{said}")


@functools.cache
def storage() -> tuple[str, ...]:
    """Layers laid over each other where the kernel can do that; else whole copies, which work everywhere."""
    asked = subprocess.run(["buildah", "info"], capture_output=True)
    return () if asked.returncode == 0 else ("--storage-driver", "vfs")


def buildah(*words: str) -> None:
    """Runs buildah; without namespaces of its own, which a container may not make."""
    built("buildah", *storage(), *words, BUILDAH_ISOLATION=os.environ.get("BUILDAH_ISOLATION", "chroot"))


def base_image() -> str:
    """The Debian of the build stage."""
    named = os.environ.get("PENSTOCK_IMAGE_BASE")
    if named:
        return named
    context = WORK / "base"
    context.mkdir(parents=True, exist_ok=True)
    if not (context / "base.tar").exists():
        built("mmdebstrap", "--quiet", "--variant=minbase", "bookworm", str(context / "unfinished.tar"))
        (context / "unfinished.tar").rename(context / "base.tar")
    (context / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
    buildah("bud", "--layers", "--tag", BASE, str(context))
    return BASE


def sidecar_image() -> Path:
    """The archive of the sidecar's image."""
    return our_image(SIDECAR)


def plane_images() -> list[Path]:
    """The archives of everything else that a cluster runs of ours."""
    return [our_image(plane_name(target), "--target", target) for target in PLANES]


def plane_name(target: str) -> str:
    return f"localhost/penstock-{target}:test"


def our_image(name: str, *options: str) -> Path:
    """An archive from our Containerfile. pip inside trusts whom pip outside trusts."""
    words = ["--build-arg", f"BASE={base_image()}"]
    trusted = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    if trusted:
        words += ["--volume", f"{trusted}:{AUTHORITIES}:ro", "--build-arg", f"PIP_CERT={AUTHORITIES}"]
    if os.environ.get("PIP_INDEX_URL"):
        words += ["--build-arg", "PIP_INDEX_URL"]
    context = ["--file", "dataplane/Containerfile", "."]
    buildah("bud", "--layers", *words, *options, "--tag", name, *context)
    return archived(name)


def app_image() -> Path:
    """The archive of the image of the load tests' app."""
    context = WORK / "app"
    context.mkdir(parents=True, exist_ok=True)
    go_build(APP_SOURCES, context / "app", CGO_ENABLED="0")
    (context / "Containerfile").write_text('FROM scratch\nCOPY app /app\nUSER 65532:65532\nENTRYPOINT ["/app"]\n')
    buildah("bud", "--layers", "--tag", APP, str(context))
    return archived(APP)


def archived(name: str) -> Path:
    """An image as an OCI archive, its layers compressed."""
    archive = WORK / (name.rpartition("/")[2].replace(":", "-") + ".tar")
    archive.unlink(missing_ok=True)
    buildah("push", "--quiet", name, f"oci-archive:{archive}:{name}")
    return archive


@dataclass(frozen=True)
class Image:
    """What an archive holds.

    compressed_bytes  what a registry would store and a node would fetch
    """

    compressed_bytes: int
    user: str
    files: list[str]


def opened(archive: Path) -> Image:
    with tarfile.open(archive) as tar:

        def blob(digest: str) -> IO[bytes]:
            return member("blobs/" + digest.replace(":", "/"))

        def member(name: str) -> IO[bytes]:
            file = tar.extractfile(name)
            assert file is not None
            return file

        manifest = json.load(blob(json.load(member("index.json"))["manifests"][0]["digest"]))
        parts = (manifest["config"], *manifest["layers"])
        names = []
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=blob(layer["digest"])) as files:
                names += files.getnames()
        return Image(
            compressed_bytes=sum(int(part["size"]) for part in parts),
            user=json.load(blob(manifest["config"]["digest"]))["config"]["User"],
            files=names,
        )
