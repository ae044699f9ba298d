"""Parser: tokens of a template to its tree.

The tree is made of tuples whose first item names the kind:

    ("text", str)                       ("action", pipe, declares)
    ("if" | "with", pipe, list, else)   ("range", pipe, list, else)
    ("break",) ("continue",)
    pipe     ("pipe", declared names, is_assign, commands)
    command  list of operands
    operand  ("field", names, pos) ("var", name, names, pos) ("chain", operand, names, pos)
             ("ident", name, pos) ("dot",) ("nil",) ("bool", b) ("number", Number)
             ("string", s) or a pipe in parentheses

`define`, `template` and `block` are refused: a log line is one template.
Source: the documentation of Go's text/template.
"""

from __future__ import annotations

from dataplane.templates import functions
from dataplane.templates.errors import TemplateError
from dataplane.templates.lexer import Lexer
from dataplane.templates.literals import Number, char_value, unquote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OPERANDS = frozenset(("bool", "char", "dot", "field", "ident", "number", "nil", "raw", "string", "var", "lparen"))
LITERALS = frozenset(("bool", "dot", "nil", "number", "string"))
NAMED = ("define", "template", "block")
DEPTH_MAX = 100


class Parser:
    """One parse of one template. Raises TemplateError at the first fault."""

    __slots__ = ("at", "depth", "names", "ranges", "text", "tokens")

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = Lexer(text).run()
        self.at = 0
        self.depth = 0
        self.ranges = 0
        self.names = ["$"]

    def run(self) -> list[Any]:
        nodes, stop = self._nodes()
        if stop != "eof":
            raise self._fault(f"unexpected {{{{{stop}}}}}", back=1)
        return nodes

    def _fault(self, reason: str, back: int = 0) -> TemplateError:
        return TemplateError(self.text, self.tokens[max(0, self.at - back)][2], reason)

    def _peek(self) -> str:
        return self.tokens[self.at][0]

    def _skip(self) -> str:
        """The kind of the next token that is no space, which becomes the current one."""
        while self.tokens[self.at][0] == "space":
            self.at += 1
        return self.tokens[self.at][0]

    def _unexpected(self, where: str) -> TemplateError:
        kind, value, _ = self.tokens[self.at]
        return self._fault(f"unexpected {value if kind != 'eof' else 'end of template'!r} in {where}")

    def _close(self, where: str) -> None:
        if self._skip() != "rdelim":
            raise self._unexpected(where)
        self.at += 1

    def _nodes(self) -> tuple[list[Any], str]:
        """Nodes up to {{end}}, {{else}} or the end of the text, and which of them it was."""
        nodes: list[Any] = []
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise self._fault("nested too deeply")
        while True:
            kind, value, _ = self.tokens[self.at]
            if kind == "eof":
                stop = "eof"
                break
            if kind == "text":
                nodes.append(("text", value))
                self.at += 1
                continue
            if kind != "ldelim":
                raise self._unexpected("template")
            self.at += 1
            stop = self._skip()
            if stop in ("end", "else"):
                self.at += 1
                # "else if" leaves its second word for the one who asked.
                if stop == "end" or self._skip() not in ("if", "with"):
                    self._close(stop)
                break
            nodes.append(self._action(stop))
        self.depth -= 1
        return nodes, stop

    def _action(self, word: str) -> tuple[Any, ...]:
        if word in ("if", "with", "range"):
            self.at += 1
            return self._control(word)
        if word in ("break", "continue"):
            self.at += 1
            self._close(word)
            if not self.ranges:
                raise self._fault(f"{{{{{word}}}}} outside {{{{range}}}}", back=2)
            return (word,)
        if word in NAMED:
            raise self._fault(f"{{{{{word}}}}} is not supported; write one template")
        pipe = self._pipe("command", "rdelim")
        return ("action", pipe, bool(pipe[1]))

    def _control(self, word: str) -> tuple[Any, ...]:
        known = len(self.names)
        pipe = self._pipe(word, "rdelim")
        self.ranges += word == "range"
        body, stop = self._nodes()
        self.ranges -= word == "range"
        otherwise: list[Any] = []
        if stop == "else":
            if word != "range" and self._peek() == word:
                self.at += 1
                otherwise = [self._control(word)]
                stop = "end"
            else:
                otherwise, stop = self._nodes()
        if stop != "end":
            raise self._fault("unexpected end of template" if stop == "eof" else f"expected {{{{end}}}}, found {stop}")
        del self.names[known:]
        return (word, pipe, body, otherwise)

    def _declarations(self, context: str) -> tuple[list[Any], bool]:
        names: list[str] = []
        while self._skip() == "var":
            name, start = self.tokens[self.at][1], self.at
            self.at += 1
            kind = self._skip()
            if kind in ("assign", "declare"):
                self.at += 1
                names.append(name)
                self.names.append(name)
                return names, kind == "assign"
            if kind != "punct" or self.tokens[self.at][1] != ",":
                self.at = start
                break
            self.at += 1
            names.append(name)
            self.names.append(name)
            if context != "range" or len(names) > 1:
                raise self._fault(f"too many declarations in {context}")
            if self._skip() not in ("var", "rdelim", "rparen"):
                raise self._fault("range can only initialize variables")
        return names, False

    def _pipe(self, context: str, end: str) -> tuple[Any, ...]:
        self._skip()
        pos = self.tokens[self.at][2]
        names, assigns = self._declarations(context)
        commands: list[list[Any]] = []
        while self._skip() != end:
            if self._peek() not in OPERANDS:
                raise self._unexpected(context)
            commands.append(self._command())
        if not commands:
            raise self._fault(f"missing value for {context}")
        self.at += 1
        for stage, command in enumerate(commands[1:], 2):
            if command[0][0] in LITERALS:
                raise TemplateError(self.text, pos, f"non executable command in pipeline stage {stage}")
        return ("pipe", names, assigns, commands)

    def _command(self) -> list[Any]:
        operands: list[Any] = []
        while True:
            if self._skip() in OPERANDS:
                operands.append(self._operand())
            kind = self._peek()
            if kind == "space":
                self.at += 1
                continue
            if kind == "pipe":
                self.at += 1
            elif kind not in ("rdelim", "rparen"):
                raise self._unexpected("operand")
            break
        if not operands:
            raise self._fault("empty command")
        return operands

    def _operand(self) -> tuple[Any, ...]:
        node = self._term()
        pos = self.tokens[self.at][2]
        names: list[str] = []
        while self._peek() == "field":
            names.append(self.tokens[self.at][1][1:])
            self.at += 1
        if not names:
            return node
        if node[0] == "field":
            return ("field", node[1] + names, node[2])
        if node[0] == "var":
            return ("var", node[1], node[2] + names, node[3])
        if node[0] in LITERALS:
            raise self._fault("unexpected . after a literal", back=len(names))
        return ("chain", node, names, pos)

    def _term(self) -> tuple[Any, ...]:
        kind, value, pos = self.tokens[self.at]
        self.at += 1
        if kind == "lparen":
            self.depth += 1
            if self.depth > DEPTH_MAX:
                raise self._fault("nested too deeply")
            pipe = self._pipe("parenthesized pipeline", "rparen")
            self.depth -= 1
            return pipe
        if kind == "ident":
            if value in functions.UNSUPPORTED:
                raise self._fault(f"function {value!r} is not supported", back=1)
            if value not in functions.TABLE and value not in functions.LAZY:
                raise self._fault(f"function {value!r} not defined", back=1)
            return ("ident", value, pos)
        if kind == "field":
            return ("field", [value[1:]], pos)
        if kind == "var":
            if value not in self.names:
                raise self._fault(f"undefined variable {value!r}", back=1)
            return ("var", value, [], pos)
        if kind == "bool":
            return ("bool", value == "true")
        if kind in ("dot", "nil"):
            return (kind,)
        return self._literal(kind, value)

    def _literal(self, kind: str, value: str) -> tuple[Any, ...]:
        try:
            if kind == "number":
                return ("number", Number(value))
            if kind == "char":
                return ("number", Number(str(char_value(value))))
            return ("string", unquote(value))
        except ValueError as fault:
            raise self._fault(f"{value}: {fault}", back=1) from None
