"""Joiner: lets the modules of one shared object call each other directly.

Cython's modules fetch each function of another module at import, by its name
and signature, and call it through a pointer ever after. Fifty modules that
begin like this cost 4 ms of every start. Here the C text of the engine is
changed before it is compiled: functions that a .pxd declares are linked by
name inside the object, and a module begins only where Python has something to
do with it. Tables that a module fills without Python are filled when the
object is loaded.

An object of which some text is not as expected is left as Cython wrote it:
slower to start, and just as right.
"""

from __future__ import annotations

import re
from pathlib import Path

FUNCTION = r"__pyx_f_\w+"
IMPORTS = re.compile(
    r"(?i:(?<=\nstatic int __pyx_modinit_function_import_code))(\([^;{]*\) )\{\n(.*?)\n\}\n", re.DOTALL
)
EXPORTS = re.compile(r"(?i:\nstatic int __pyx_modinit_function_export_code)\([^;{]*\) \{\n(.*?)\n\}\n", re.DOTALL)
BORROWED = re.compile(rf"^static ([^\n;{{]*)\(\*({FUNCTION})\)(\([^\n]*;.*)$", re.MULTILINE)
"""The pointer that holds another module's function."""

OWN = re.compile(rf"^static (?:CYTHON_INLINE )?([^\n(=]*?\b({FUNCTION})\()", re.MULTILINE)
"""Declaration or beginning of a function of this module."""

BODIES = re.compile(
    r"/\* #### Code section: module_code ### \*/\n(.*?)/\* #### Code section: module_exttypes", re.DOTALL
)
BEGINNING = re.compile(r"/\*--- Execution code ---\*/\n(.*?)/\*--- Wrapped vars code ---\*/", re.DOTALL)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
PYTHON = re.compile(r"\bPy[A-Z]\w*_\w+|__Pyx_\w*(Add|Py|Unraisable)|__pyx_mstate")
"""A sign that a function wants what the beginning of its module makes: constants, types, names for a traceback."""

NAMES_MODULE = re.compile(r'PyImport_ImportModule\("([\w.]+)"\)')
PLAIN = re.compile(
    r"^  (__pyx_v_\w+(\.\w+)* = [^;]+|__pyx_f_\w+\([^;]*\)|memcpy\(&\(__pyx_v_[^;]+\)"
    r"|static [\w ]+ const __pyx_carray_\w*\[\d+\] = \{[^;]+\});\n",
    re.MULTILINE,
)
"""A statement of a module's beginning that needs no Python."""

TEMPORARY = re.compile(r"\b__pyx_t_\d+\b")
"""A variable of the function around it, which a statement cannot leave behind."""

IMPORTER = """\
{head}{{
  static const char *const wanted[] = {{{wanted}NULL}};
  for (int i = 0; wanted[i]; i++) {{
    PyObject *module = PyImport_ImportModule(wanted[i]);
    if (!module) return -1;
    Py_DECREF(module);
  }}
  return 0;
}}
"""

CONSTRUCTOR = """
__attribute__((constructor)) static void fill_tables(void) {{
{statements}}}
"""


class JoinError(Exception):
    """The C text of a module is not as Cython is known to write it."""


class Module:
    """What one C file gives to others, takes from them, and does when it begins."""

    __slots__ = ("begins", "exports", "name", "statements", "takes", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        taken, given = IMPORTS.search(text), EXPORTS.search(text)
        bodies, beginning = BODIES.search(text), BEGINNING.search(text)
        if taken is None or given is None or bodies is None or beginning is None:
            raise JoinError(name)
        self.takes = NAMES_MODULE.findall(taken[2])
        self.exports = set(re.findall(FUNCTION, given[1]))
        does = COMMENT.sub("", beginning[1])
        plain = (match[0] for match in PLAIN.finditer(does))
        statements = [line for line in plain if not PYTHON.search(line) and not TEMPORARY.search(line)]
        is_mixed = "__pyx_v_" in without(does, statements)
        # Python's part may want what a statement has set, and the other way round.
        self.statements = [] if is_mixed else statements
        self.begins = is_mixed or PYTHON.search(COMMENT.sub("", bodies[1])) is not None
        """Whether it must have begun before its functions are called."""


def joined(texts: dict[str, str]) -> dict[str, str]:
    """The C text of every module of one object, by the module's name.

    Returns  the texts as they came when one of them is not understood
    """
    try:
        modules = {name: Module(name, text) for name, text in texts.items()}
        return {name: join(module, modules) for name, module in modules.items()}
    except JoinError as odd:
        print(f"{odd} is not as Cython is known to write it: the modules are not joined, and start more slowly")
        return texts


def join(module: Module, modules: dict[str, Module]) -> str:
    """The module's text with its links in place of its fetching."""
    linked = set().union(*(other.exports for other in modules.values()))

    def link(match: re.Match[str]) -> str:
        if match[2] not in linked:
            raise JoinError(module.name)
        return f"extern {match[1]}{match[2]}{match[3]}"

    def give(match: re.Match[str]) -> str:
        return match[1] if match[2] in module.exports else match[0]

    wanted = "".join(f'"{name}", ' for name in beginners(module, modules))
    text = BORROWED.sub(link, OWN.sub(give, module.text))
    text = IMPORTS.sub(lambda match: IMPORTER.format(head=match[1], wanted=wanted), text)
    if module.statements:
        text = BEGINNING.sub(lambda match: without(match[0], module.statements), text)
        # Behind the bodies, whose addresses it takes.
        text += CONSTRUCTOR.format(statements="".join(module.statements))
    return text


def beginners(module: Module, modules: dict[str, Module]) -> list[str]:
    """Names of the modules that have to begin before this one's functions can run, those further down first."""
    order: list[str] = []
    seen = {module.name}

    def visit(names: list[str]) -> None:
        for name in names:
            if name in seen:
                continue
            if name not in modules:
                raise JoinError(module.name)
            seen.add(name)
            visit(modules[name].takes)
            if modules[name].begins:
                order.append(name)

    visit(module.takes)
    return order


def without(text: str, statements: list[str]) -> str:
    for statement in statements:
        text = text.replace(statement, "", 1)
    return text


def write_joined(sources: dict[str, Path]) -> list[Path]:
    """Writes each module's joined text beside the C file, when it is another than before; the files."""
    texts = joined({name: source.read_text() for name, source in sources.items()})
    written = []
    for name, source in sources.items():
        target = source.with_suffix(".joined.c")
        if not target.exists() or target.read_text() != texts[name]:
            target.write_text(texts[name])
        written.append(target)
    return written
