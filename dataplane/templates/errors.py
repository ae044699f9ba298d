"""Errors: what can go wrong with a template, when it is read and when it runs.

Both are plain exceptions without a cause chain: a template is text that a
user wrote, so its faults are told in one line.
"""


class TemplateError(Exception):
    """The template cannot be used. Names the place and the reason.

    line, column   of the first character at fault, both counted from 1;
                   columns are characters, not bytes.
    reason         one sentence without the place.
    """

    def __init__(self, text: str, pos: int, reason: str) -> None:
        self.line = text.count("\n", 0, pos) + 1
        self.column = pos - (text.rfind("\n", 0, pos) + 1) + 1
        self.reason = reason
        super().__init__(f"template:{self.line}:{self.column}: {reason}")


class ExecError(Exception):
    """The template is sound but this record cannot be shown with it."""
