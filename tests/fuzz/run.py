"""run: fuzzes the engine, coverage-guided by libFuzzer, then differentially against other parsers.

The engine is built once more with coverage, AddressSanitizer and
UndefinedBehaviorSanitizer under build/fuzz. Each target starts from its kept
corpus and its seeds; with --keep, what was found worth keeping replaces the
corpus. A crash leaves its input in build/fuzz/crashes.

Run: python -m tests.fuzz.run --seconds 300
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.fuzz import corpus, differential
from tests.fuzz.targets import TARGETS, Target

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "fuzz"
BUILD = ROOT / "build" / "fuzz"
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
ENGINE, TLS = (BUILD / "lib" / "ext" / f"{name}{SUFFIX}" for name in ("_engine", "_tls"))
HARNESS = BUILD / "harness"
CRASHES = BUILD / "crashes"
INPUT_BYTES_MAX = 1024
LAST_PROGRESS = re.compile(r"#(\d+)\s+DONE\s+cov: (\d+) ft: \d+ corp: (\d+)")


def build() -> None:
    """The engine with coverage, and the process that feeds it."""
    flags = (
        "-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
        " -O1 -DEXT_DEBUG=1 -w"
    )
    environment = os.environ | {
        "CC": "clang",
        "EXT_BUILD": str(BUILD.relative_to(ROOT)),
        "EXT_CFLAGS": flags,
        "EXT_LDFLAGS": "-fsanitize=fuzzer-no-link",
    }
    setup = [sys.executable, "-W", "ignore", "-c", "from setuptools import setup; setup()", "-q"]
    subprocess.run(
        [*setup, "build_ext", "--build-lib", str(BUILD / "lib")], cwd=ROOT, env=environment, check=True
    )  # fmt: skip
    include, library = sysconfig.get_path("include"), sysconfig.get_config_var("LIBDIR")
    python = f"python{sysconfig.get_config_var('LDVERSION')}"
    compile_one = ["clang", "-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-rdynamic", f"-I{include}"]
    link = [f"-L{library}", f"-Wl,-rpath,{library}", f"-l{python}", "-o", str(HARNESS)]
    subprocess.run([*compile_one, str(HERE / "harness.c"), *link], check=True)


def fuzzer(target: Target, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "FUZZ_ENGINE": str(ENGINE),
        "FUZZ_TLS": str(TLS),
        "FUZZ_DOOR": target.door,
        "FUZZ_TARGET": target.function,
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONMALLOC": "malloc",
        "PYTHONHOME": sys.base_prefix,
    }
    command = [str(HARNESS), f"-max_len={INPUT_BYTES_MAX}", f"-artifact_prefix={CRASHES}/{target.name}-", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, errors="replace")


def fuzz(target: Target, seconds: int, keep: bool) -> bool:
    """Whether every promise was kept for so many seconds."""
    folder = BUILD / "corpus" / target.name
    corpus.unpack([*target.seeds, *corpus.read(target.name)], folder)
    done = fuzzer(
        target, f"-max_total_time={seconds}", f"-dict={HERE / target.dictionary}", "-print_final_stats=0", str(folder)
    )  # fmt: skip
    found = LAST_PROGRESS.search(done.stderr)
    if done.returncode or not found:
        print(f"{target.name}: failed; the input is in {CRASHES.relative_to(ROOT)}")
        print(done.stderr[-4000:])
        return False
    runs, coverage, inputs = found.groups()
    print(f"{target.name}: {runs} inputs in {seconds} s, 0 crashes; {coverage} edges, corpus {inputs}")
    if keep:
        small = BUILD / "merged" / target.name
        shutil.rmtree(small, ignore_errors=True)
        small.mkdir(parents=True)
        if fuzzer(target, "-merge=1", str(small), str(folder)).returncode:
            print(f"{target.name}: the corpus could not be merged")
            return False
        corpus.write(target.name, corpus.pack(small))
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=300, help="time for all of it, the build aside (default 300)")
    parser.add_argument("--only", choices=[*(t.name for t in TARGETS), "differential"], help="one part alone")
    parser.add_argument("--keep", action="store_true", help="keep what was found as the corpus")
    asked = parser.parse_args()
    parts = [asked.only] if asked.only else [*(target.name for target in TARGETS), "differential"]
    share = max(1, asked.seconds // len(parts))
    good = True
    if any(target.name in parts for target in TARGETS):
        if not shutil.which("clang"):
            print("clang is needed for the coverage-guided part: apt-get install clang")
            return 2
        CRASHES.mkdir(parents=True, exist_ok=True)
        build()
    for target in TARGETS:
        if target.name in parts:
            good &= fuzz(target, share, asked.keep)
    if "differential" in parts:
        good &= differential.search(share)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
