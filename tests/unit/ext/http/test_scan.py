"""scan: the wide searches find what a loop over bytes finds, on every kind of machine."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
COMPILER = shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0]) or "cc"


@pytest.mark.parametrize(
    "variant", [[], ["-U__SSE2__"], ["-U__SSE2__", "-U__BYTE_ORDER__"]], ids=["sse2", "words", "bytes"]
)
def test_wide_and_plain_searches_agree(tmp_path, variant):
    program = tmp_path / "scan_check"
    source = Path(__file__).with_name("scan_check.c")
    command = [COMPILER, "-O2", "-fsanitize=address,undefined", f"-I{ROOT}", *variant, str(source), "-o", str(program)]
    subprocess.run(command, check=True)
    done = subprocess.run([program], capture_output=True, text=True, env={"ASAN_OPTIONS": "detect_leaks=0"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_byte_has_its_classes(tmp_path):
    """The table, against the characters that RFC 9110 5.6.2 and 5.5 and RFC 3986 3.2.2 list."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    expected = {
        "SCAN_TOKEN": set((letters + "!#$%&'*+-.^_`|~").encode()),
        "SCAN_VALUE": {9, *range(0x20, 0x7F), *range(0x80, 0x100)},
        "SCAN_TARGET": {*range(0x21, 0x7F), *range(0x80, 0x100)} - {ord("#")},
        "SCAN_HOST": set((letters + "-._~" + "%" + "!$&'()*+,;=").encode()),
        "SCAN_HEX": set(b"0123456789abcdefABCDEF"),
        "SCAN_DIGIT": set(b"0123456789"),
    }
    lines = "".join(
        f'for (int i = 0; i < 256; i++) if (scan_is((char)i, {k})) printf("{k} %d\\n", i);' for k in expected
    )
    source = tmp_path / "table.c"
    source.write_text(f'#include "ext/http/scan.h"\n#include <stdio.h>\nint main(void) {{ {lines} return 0; }}\n')
    subprocess.run([COMPILER, f"-I{ROOT}", str(source), "-o", str(tmp_path / "table")], check=True)
    printed = subprocess.run([tmp_path / "table"], capture_output=True, text=True, check=True).stdout.split()
    found = {kind: {int(n) for k, n in zip(printed[::2], printed[1::2], strict=True) if k == kind} for kind in expected}
    assert found == expected
