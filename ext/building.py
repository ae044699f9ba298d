"""OneObject: the setuptools command that builds the engine.

Every `.pyx` under `ext/` becomes one C file, and all of them one shared
object: a separate object for each costs 7 ms and 1.3 MiB at start. setuptools
alone translates only the first `.pyx` of an extension, so this command takes
the extension of pyproject.toml and adds the rest. Variants (EXT_DEBUG,
sanitizers) come through CFLAGS and LDFLAGS, into the folder EXT_BUILD names.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent.parent
WARNINGS = ["-Wno-unused-function", "-Wno-unreachable-code"]
CODE = ["-O2", "-g1", "-fvisibility=hidden", "-fno-semantic-interposition"]


class OneObject(build_ext):
    """Translate, compile what changed, link once."""

    def build_extension(self, ext) -> None:
        from Cython.Build import cythonize

        work = Path(os.environ.get("EXT_BUILD", ROOT / "build" / "release"))
        os.chdir(ROOT)
        modules = cythonize(
            ["ext/**/*.pyx"],
            build_dir=str(work),
            nthreads=0,
            quiet=True,
            include_path=["."],
            compiler_directives={"language_level": "3"},
        )
        sources = [Path(module.sources[0]) for module in modules]
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
