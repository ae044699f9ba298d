"""Lexer: cuts template text into tokens.

A token is a tuple (kind, value, pos): pos is the offset of its first
character. Spaces inside an action are tokens, as they separate operands.
Trim markers are applied here, so nobody else knows of them.
Source: the documentation of Go's text/template.
"""

from __future__ import annotations

from dataplane.templates.errors import TemplateError

KEYWORDS = frozenset(("block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"))
SPACES = " \t\r\n"
LEFT, RIGHT = "{{", "}}"
DIGITS = "0123456789_"
HEX_DIGITS = "0123456789abcdefABCDEF_"
SINGLE = {"|": "pipe", "=": "assign", "(": "lparen", ")": "rparen"}


def is_word(char: str) -> bool:
    """Letters, digits and the underscore make identifiers; the empty string does not."""
    return char == "_" or char.isalpha() or char.isdecimal()


class Lexer:
    """One pass over one template.

    text    the whole template.
    tokens  what has been cut so far; the last one is ("eof", "", len).
    Raises  TemplateError at the first character that fits nowhere.
    """

    __slots__ = ("depth", "pos", "text", "tokens")

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.depth = 0
        self.tokens: list[tuple[str, str, int]] = []

    def run(self) -> list[tuple[str, str, int]]:
        trim = False
        while True:
            start = self.text.find(LEFT, self.pos)
            end = len(self.text) if start < 0 else start
            left_trim = start >= 0 and self._trims_left(start + 2)
            piece = self.text[self.pos : end]
            if trim:
                piece = piece.lstrip(SPACES)
            if left_trim:
                piece = piece.rstrip(SPACES)
            if piece:
                self.tokens.append(("text", piece, self.pos))
            if start < 0:
                self.tokens.append(("eof", "", len(self.text)))
                return self.tokens
            self.pos = start + 2 + (2 if left_trim else 0)
            if self.text.startswith("/*", self.pos):
                trim = self._comment(start)
            else:
                self.tokens.append(("ldelim", LEFT, start))
                trim = self._action()

    def _trims_left(self, pos: int) -> bool:
        return self.text[pos : pos + 1] == "-" and self.text[pos + 1 : pos + 2] in SPACES and pos + 1 < len(self.text)

    def _right(self) -> tuple[bool, bool]:
        """Whether a right delimiter stands here, and whether it trims what follows."""
        if self.text.startswith("-" + RIGHT, self.pos + 1) and self.text[self.pos] in SPACES:
            return True, True
        return self.text.startswith(RIGHT, self.pos), False

    def _comment(self, start: int) -> bool:
        end = self.text.find("*/", self.pos)
        if end < 0:
            raise TemplateError(self.text, start, "unclosed comment")
        self.pos = end + 2
        closed, trims = self._right()
        if not closed:
            raise TemplateError(self.text, start, "comment ends before closing delimiter")
        self.pos += 4 if trims else 2
        return trims

    def _action(self) -> bool:
        """Cuts one action up to and with its right delimiter; says whether that trims."""
        self.depth = 0
        while True:
            closed, trims = self._right()
            if closed:
                if self.depth:
                    raise TemplateError(self.text, self.pos, "unclosed left paren")
                self.tokens.append(("rdelim", RIGHT, self.pos))
                self.pos += 4 if trims else 2
                return trims
            self._inside()

    def _inside(self) -> None:
        text, start = self.text, self.pos
        if start >= len(text):
            raise TemplateError(text, start, "unclosed action")
        char = text[start]
        if char in SPACES:
            self._spaces()
        elif char == ":":
            if not text.startswith(":=", start):
                raise TemplateError(text, start, "expected :=")
            self._emit("declare", start + 2)
        elif char in SINGLE:
            self._single(char)
        elif char in "\"'":
            self._quoted(char)
        elif char == "`":
            end = text.find("`", start + 1)
            if end < 0:
                raise TemplateError(text, start, "unterminated raw quoted string")
            self._emit("raw", end + 1)
        elif char == "$":
            self._name("var", "var")
        elif char == "." and not ("0" <= text[start + 1 : start + 2] <= "9"):
            self._name("field", "dot")
        elif char in "+-." or "0" <= char <= "9":
            self._number()
        elif is_word(char):
            self._identifier()
        elif " " <= char <= "~":
            self._emit("punct", start + 1)
        else:
            raise TemplateError(text, start, f"unrecognized character in action: U+{ord(char):04X}")

    def _emit(self, kind: str, end: int) -> None:
        self.tokens.append((kind, self.text[self.pos : end], self.pos))
        self.pos = end

    def _single(self, char: str) -> None:
        self.depth += (char == "(") - (char == ")")
        if self.depth < 0:
            raise TemplateError(self.text, self.pos, "unexpected right paren")
        self._emit(SINGLE[char], self.pos + 1)

    def _spaces(self) -> None:
        start = self.pos
        end = start
        while end < len(self.text) and self.text[end] in SPACES:
            end += 1
        # The last space belongs to a trimming delimiter when one follows.
        if self.text.startswith("-" + RIGHT, end):
            end -= 1
        if end > start:
            self._emit("space", end)

    def _quoted(self, quote: str) -> None:
        text, pos = self.text, self.pos + 1
        while pos < len(text) and text[pos] not in (quote, "\n"):
            if text[pos] == "\\":
                pos += 1
                if text[pos : pos + 1] == "\n":
                    break
            pos += 1
        if pos >= len(text) or text[pos] == "\n":
            what = "quoted string" if quote == '"' else "character constant"
            raise TemplateError(text, self.pos, f"unterminated {what}")
        self._emit("string" if quote == '"' else "char", pos + 1)

    def _word_end(self, pos: int) -> int:
        while is_word(self.text[pos : pos + 1]):
            pos += 1
        if pos < len(self.text) and self.text[pos] not in " \t\r\n.,|:)(" and not self.text.startswith(RIGHT, pos):
            raise TemplateError(self.text, pos, f"bad character U+{ord(self.text[pos]):04X}")
        return pos

    def _name(self, kind: str, alone: str) -> None:
        end = self._word_end(self.pos + 1)
        self._emit(kind if end > self.pos + 1 else alone, end)

    def _identifier(self) -> None:
        end = self._word_end(self.pos)
        word = self.text[self.pos : end]
        if word in KEYWORDS:
            self._emit(word, end)
        elif word in ("true", "false"):
            self._emit("bool", end)
        else:
            self._emit("nil" if word == "nil" else "ident", end)

    def _number(self) -> None:
        start = self.pos
        end = self._number_end(start)
        if self.text[end : end + 1] in ("+", "-") or self.text[end - 1 : end] == "i":
            raise TemplateError(self.text, start, "complex numbers are not supported")
        if is_word(self.text[end : end + 1]):
            raise TemplateError(self.text, start, f"bad number syntax: {self.text[start : end + 1]}")
        self._emit("number", end)

    def _number_end(self, pos: int) -> int:
        text = self.text
        if text[pos] in "+-":
            pos += 1
        digits, mark = DIGITS, "eE"
        prefix = text[pos : pos + 2].lower()
        if prefix in ("0x", "0o", "0b"):
            pos += 2
            digits, mark = {"0x": (HEX_DIGITS, "pP"), "0o": ("01234567_", ""), "0b": ("01_", "")}[prefix]
        pos = _run(text, pos, digits)
        if text[pos : pos + 1] == ".":
            pos = _run(text, pos + 1, digits)
        if pos < len(text) and text[pos] in mark:
            pos += 1
            if text[pos : pos + 1] in ("+", "-"):
                pos += 1
            pos = _run(text, pos, DIGITS)
        return pos + (text[pos : pos + 1] == "i")


def _run(text: str, pos: int, allowed: str) -> int:
    while pos < len(text) and text[pos] in allowed:
        pos += 1
    return pos
