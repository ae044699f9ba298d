"""Image: builds the container images of these tests, without a container engine, by buildah.

The sidecar's comes from its Containerfile, the app's is one static program. The
base of the build stage is PENSTOCK_IMAGE_BASE, or a Debian made here by
mmdebstrap, so that no registry of images is needed.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path

from tests.cluster.cluster import ROOT, ClusterError

WORK = ROOT / "build" / "cluster"
SIDECAR = "localhost/penstock-queue-proxy:test"
APP = "localhost/penstock-app:test"
BASE = "localhost/penstock-base:bookworm"
APP_SOURCES = ROOT / "loadtests" / "origin" / "app"
AUTHORITIES = "/run/authorities.crt"


def built(*argv: str, folder: Path = ROOT, **variables: str) -> None:
    """Runs a step of a build. Raises ClusterError with the end of what it said when it fails."""
    environment = os.environ | variables
    environment.setdefault("BUILDAH_ISOLATION", "chroot")
    environment.setdefault("STORAGE_DRIVER", "vfs")
    done = subprocess.run(
        argv, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        said = "\n".join(done.stdout.splitlines()[-30:])
        raise ClusterError(f"{' '.join(argv[:3])} failed:\n{said}")


def base_image() -> str:
    """The Debian of the build stage."""
    named = os.environ.get("PENSTOCK_IMAGE_BASE")
    if named:
        return named
    archive = WORK / "base.tar"
    if not archive.exists():
        built("mmdebstrap", "--quiet", "--variant=minbase", "bookworm", f"{archive}.part")
        Path(f"{archive}.part").rename(archive)
    context = WORK / "base"
    context.mkdir(exist_ok=True)
    (context / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
    linked = context / "base.tar"
    linked.unlink(missing_ok=True)
    linked.hardlink_to(archive)
    built("buildah", "bud", "--layers", "--tag", BASE, str(context))
    return BASE


def sidecar_image() -> Path:
    """The archive of the sidecar's image. pip inside trusts whom pip outside trusts."""
    words = ["--build-arg", f"BASE={base_image()}"]
    trusted = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    if trusted:
        words += ["--volume", f"{trusted}:{AUTHORITIES}:ro", "--build-arg", f"PIP_CERT={AUTHORITIES}"]
    if os.environ.get("PIP_INDEX_URL"):
        words += ["--build-arg", "PIP_INDEX_URL"]
    context = ["--file", "dataplane/Containerfile", "."]
    built("buildah", "bud", "--layers", *words, "--tag", SIDECAR, *context)
    return archived(SIDECAR)


def app_image() -> Path:
    """The archive of the image of the load tests' app."""
    context = WORK / "app"
    context.mkdir(parents=True, exist_ok=True)
    built("go", "build", "-trimpath", "-o", str(context / "app"), ".", folder=APP_SOURCES, CGO_ENABLED="0")
    (context / "Containerfile").write_text('FROM scratch\nCOPY app /app\nUSER 65532:65532\nENTRYPOINT ["/app"]\n')
    built("buildah", "bud", "--tag", APP, str(context))
    return archived(APP)


def archived(name: str) -> Path:
    """An image as an OCI archive, its layers compressed."""
    archive = WORK / (name.rpartition("/")[2].replace(":", "-") + ".tar")
    archive.unlink(missing_ok=True)
    built("buildah", "push", "--quiet", name, f"oci-archive:{archive}:{name}")
    return archive


def compressed_bytes(archive: Path) -> int:
    """What a registry would store and a node would fetch of an image, in bytes."""
    with tarfile.open(archive) as tar:

        def document(name: str) -> dict:
            return json.load(tar.extractfile(name))

        digest = document("index.json")["manifests"][0]["digest"]
        manifest = document("blobs/" + digest.replace(":", "/"))
    return sum(layer["size"] for layer in manifest["layers"]) + manifest["config"]["size"]
