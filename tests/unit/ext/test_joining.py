"""Joiner: links instead of fetching, in C text as Cython writes it; and nothing at all where it is not."""

from __future__ import annotations

from ext.joining import joined

TEXT = """
/* #### Code section: module_code ### */
{functions}
/* #### Code section: module_exttypes ### */

static int __Pyx_modinit_Function_export_code(__pyx_mstatetype *__pyx_mstate) {{
  void (*const __pyx_export_pointers[])(void) = {{{exports}NULL}};
  return 0;
}}

static int __Pyx_modinit_Function_import_code(__pyx_mstatetype *__pyx_mstate) {{
{imports}
  return 0;
}}
  /*--- Execution code ---*/
{beginning}
  /*--- Wrapped vars code ---*/
"""
LOW = TEXT.format(
    functions="static int __pyx_f_low_give(int __pyx_v_n) {\n  return 1;\n}\nstatic int __pyx_f_low_own(void) {\n}",
    exports="(void (*)(void))&__pyx_f_low_give, ",
    imports="",
    beginning="  __pyx_v_low_OPS.give = __pyx_f_low_give;",
)
PYTHON = TEXT.format(
    functions="static PyObject *__pyx_f_python_say(void) {\n  return PyLong_FromLong(1);\n}",
    exports="(void (*)(void))&__pyx_f_python_say, ",
    imports='  PyImport_ImportModule("low");',
    beginning="",
)
TOP = TEXT.format(
    functions="static int (*__pyx_f_low_give)(int); /*proto*/\nstatic PyObject *(*__pyx_f_python_say)(void); /*proto*/",
    exports="",
    imports='  PyImport_ImportModule("python");\n  PyImport_ImportModule("low");',
    beginning="",
)
TEXTS = {"low": LOW, "python": PYTHON, "top": TOP}


def test_a_function_of_another_module_is_linked_by_its_name() -> None:
    texts = joined(TEXTS)
    assert "extern int __pyx_f_low_give(int); /*proto*/" in texts["top"]
    assert "extern PyObject *__pyx_f_python_say(void); /*proto*/" in texts["top"]
    assert "\nint __pyx_f_low_give(int __pyx_v_n) {" in texts["low"]


def test_a_function_that_nobody_else_may_call_stays_static() -> None:
    assert "\nstatic int __pyx_f_low_own(void) {" in joined(TEXTS)["low"]


def test_only_modules_that_python_has_to_do_with_begin() -> None:
    texts = joined(TEXTS)
    assert 'wanted[] = {"python", NULL}' in texts["top"]
    assert "wanted[] = {NULL}" in texts["python"]


def test_a_table_without_python_is_filled_when_the_object_is_loaded() -> None:
    text = joined(TEXTS)["low"]
    assert text.count("__pyx_v_low_OPS.give = __pyx_f_low_give;") == 1
    assert text.index("constructor") < text.index("__pyx_v_low_OPS.give")


def test_what_a_beginning_does_with_python_is_left_together() -> None:
    mixed = LOW.replace("OPS.give = __pyx_f_low_give;", "A = 1;\n  __pyx_v_low_B = PyLong_FromLong(__pyx_v_low_A);")
    texts = joined({**TEXTS, "low": mixed})
    assert "constructor" not in texts["low"]
    assert 'wanted[] = {"low", "python", NULL}' in texts["top"]


def test_one_text_that_is_not_understood_leaves_all_as_they_are(capsys) -> None:
    texts = {**TEXTS, "strange": "int main() { return 0; }"}
    assert joined(texts) == texts
    assert "strange" in capsys.readouterr().out


def test_a_function_that_no_module_gives_leaves_all_as_they_are() -> None:
    texts = {name: text for name, text in TEXTS.items() if name != "low"}
    assert joined(texts) == texts
