"""corpus: the inputs that a fuzzer found worth keeping, one line of hexadecimal each.

One file for each target, sorted, so that a change reads as a difference.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

KEPT = Path(__file__).resolve().parent / "kept"


def read(target: str) -> list[bytes]:
    """The kept inputs; empty when nothing was kept yet."""
    file = KEPT / f"{target}.hex"
    return [bytes.fromhex(line) for line in file.read_text().splitlines()] if file.exists() else []


def write(target: str, inputs: list[bytes]) -> None:
    """Replaces what is kept."""
    KEPT.mkdir(exist_ok=True)
    lines = sorted({data.hex() for data in inputs}, key=lambda line: (len(line), line))
    (KEPT / f"{target}.hex").write_text("".join(f"{line}\n" for line in lines))


def unpack(inputs: list[bytes], folder: Path) -> None:
    """One file for each input, named by its content, as libFuzzer wants them."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def pack(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(folder.iterdir())]
