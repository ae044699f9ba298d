"""FewObjects: the setuptools command that builds the engine.

Every `.pyx` under `ext/` becomes one C file. Those that pyproject.toml lists
for `ext._tls` become one shared object, all others another: a separate object
for each module costs 7 ms and 1.3 MiB at start, modules that fetch each other's
functions another 2 ms (ext/joining.py), and OpenSSL another 2 ms and
2 MiB, which a sidecar without TLS does not pay. setuptools alone translates
only the first `.pyx` of an extension. Variants (EXT_DEBUG,
sanitizers) come through CFLAGS and LDFLAGS, into the folder EXT_BUILD names.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools.command.build_ext import build_ext

ENGINE = "ext._engine"
ROOT = Path(__file__).resolve().parent.parent
WARNINGS = ["-Wno-unused-function", "-Wno-unreachable-code"]
CODE = ["-O2", "-g1", "-fvisibility=hidden", "-fno-semantic-interposition"]


class FewObjects(build_ext):
    """Translate, compile what changed, link."""

    def build_extension(self, ext) -> None:
        # pip runs this file without its folder on the path.
        sys.path.insert(0, str(ROOT))
        from Cython.Build import cythonize

        from ext.joining import write_joined

        work = Path(os.environ.get("EXT_BUILD", ROOT / "build" / "release"))
        os.chdir(ROOT)
        modules = cythonize(
            self.modules_of(ext),
            build_dir=str(work),
            nthreads=0,
            quiet=True,
            include_path=["."],
            compiler_directives={"language_level": "3"},
        )
        translated = {module.name: Path(module.sources[0]) for module in modules}
        sources = write_joined(translated) if ext.name == ENGINE else list(translated.values())
        newest_header = max(header.stat().st_mtime for header in Path("ext").rglob("*.h"))
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            objects = list(pool.map(lambda source: self.object_of(source, work, newest_header), sources))
        target = Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        self.compiler.link_shared_object(
            objects,
            str(target),
            libraries=ext.libraries,
            extra_postargs=os.environ.get("EXT_LDFLAGS", "").split(),
            build_temp=str(work),
        )

    def modules_of(self, ext) -> list[str]:
        """The engine takes what no other object lists."""
        if ext.name != ENGINE:
            return ext.sources
        others = {source for other in self.extensions if other.name != ENGINE for source in other.sources}
        return sorted(str(path) for path in Path("ext").rglob("*.pyx") if str(path) not in others)

    def object_of(self, source: Path, work: Path, newest_header: float) -> str:
        """The object file of one C file, made anew when the file or a header is newer."""
        made = source.with_suffix(".o")
        if not made.exists() or made.stat().st_mtime < max(source.stat().st_mtime, newest_header):
            flags = CODE + WARNINGS + os.environ.get("EXT_CFLAGS", "").split()
            compile_one = [*self.compiler.compiler_so, *flags, "-I.", "-Iext/base", *self.includes(), "-c"]
            self.spawn([*compile_one, str(source), "-o", str(made)])
        return str(made)

    def includes(self) -> list[str]:
        return [f"-I{folder}" for folder in self.include_dirs]
