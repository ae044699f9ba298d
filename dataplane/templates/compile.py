"""Compiler: the tree of a template to closures.

A closure for a value takes (frame, dot); one for a node also writes to the
frame and says whether the loop around it goes on. Names of variables become
places in the frame, functions and fields are looked up once, so that a line
costs calls only.
"""

from __future__ import annotations

from dataplane.templates import format as fmt
from dataplane.templates import functions
from dataplane.templates.errors import ExecError, TemplateError
from dataplane.templates.parse import Parser
from dataplane.templates.request import SCHEMA
from dataplane.templates.values import Map, NilPointer, call_method, field, truth, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Node = tuple[Any, ...]
    Value = Callable[["Frame", Any], Any]

NOTHING = object()
GO_ON, BREAK, CONTINUE = 0, 1, 2


class Frame:
    """One execution: what has been written, and the variables.

    out   pieces of text in order.
    vars  by place; place 0 is "$".
    """

    __slots__ = ("out", "vars")

    def __init__(self, root: object, places: int) -> None:
        self.out: list[str] = []
        self.vars: list[object] = [NOTHING] * places
        self.vars[0] = root


class Template:
    """A template that is ready to run.

    Raises TemplateError from the constructor, with the place, when the text
    is no template or asks for what is not supported.
    """

    __slots__ = ("_body", "_places")

    def __init__(self, text: str) -> None:
        compiler = _Compiler(text)
        self._body = compiler.nodes(Parser(text).run(), root=True)
        self._places = compiler.places

    def render(self, root: object) -> str:
        """The text for one root value. Raises ExecError when the value does not fit the template."""
        frame = Frame(root, self._places)
        try:
            self._body(frame, root)
        except RecursionError:
            raise ExecError("the template is nested too deeply") from None
        return "".join(frame.out)


class _Compiler:
    __slots__ = ("places", "scope", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.places = 1
        self.scope: list[tuple[str, int]] = [("$", 0)]

    def place(self, name: str) -> int | None:
        for known, place in reversed(self.scope):
            if known == name:
                return place
        return None

    def declare(self, name: str) -> int:
        self.scope.append((name, self.places))
        self.places += 1
        return self.places - 1

    def nodes(self, tree: list[Node], root: bool) -> Value:
        steps: list[Value] = [getattr(self, "_" + node[0])(node, root) for node in tree]
        if len(steps) == 1:
            return steps[0]

        def run(frame: Frame, dot: Any) -> Any:
            for step in steps:
                signal = step(frame, dot)
                if signal:
                    return signal
            return GO_ON

        return run

    def _text(self, node: Node, root: bool) -> Value:
        piece = node[1]

        def run(frame: Frame, dot: Any) -> Any:
            frame.out.append(piece)

        return run

    def _action(self, node: Node, root: bool) -> Value:
        value = self.pipe(node[1], root)
        if node[2]:

            def quiet(frame: Frame, dot: Any) -> Any:
                value(frame, dot)

            return quiet
        to_text = functions.to_text

        def run(frame: Frame, dot: Any) -> Any:
            frame.out.append(to_text(value(frame, dot)))

        return run

    def _break(self, node: Node, root: bool) -> Value:
        return lambda frame, dot: BREAK

    def _continue(self, node: Node, root: bool) -> Value:
        return lambda frame, dot: CONTINUE

    def _if(self, node: Node, root: bool) -> Value:
        known = len(self.scope)
        value = self.pipe(node[1], root)
        body, otherwise = self.nodes(node[2], root), self.nodes(node[3], root)
        del self.scope[known:]

        def run(frame: Frame, dot: Any) -> Any:
            return body(frame, dot) if truth(value(frame, dot)) else otherwise(frame, dot)

        return run

    def _with(self, node: Node, root: bool) -> Value:
        known = len(self.scope)
        value = self.pipe(node[1], root)
        body, otherwise = self.nodes(node[2], False), self.nodes(node[3], root)
        del self.scope[known:]

        def run(frame: Frame, dot: Any) -> Any:
            found = value(frame, dot)
            return body(frame, found) if truth(found) else otherwise(frame, dot)

        return run

    def _range(self, node: Node, root: bool) -> Value:
        known = len(self.scope)
        value = self.pipe(node[1], root)
        places = [self.place(name) for name in node[1][1]]
        body, otherwise = self.nodes(node[2], False), self.nodes(node[3], root)
        del self.scope[known:]
        item_place = places[-1] if places else None
        key_place = places[0] if len(places) > 1 else None

        def run(frame: Frame, dot: Any) -> Any:
            pairs = _pairs(value(frame, dot), key_place is not None)
            if not pairs:
                return otherwise(frame, dot)
            for key, item in pairs:
                if item_place is not None:
                    frame.vars[item_place] = item
                if key_place is not None:
                    frame.vars[key_place] = key
                if body(frame, item) == BREAK:
                    break
            return GO_ON

        return run

    def pipe(self, node: Node, root: bool) -> Value:
        _, names, assigns, commands = node
        value = self.command(commands[0], root, None)
        for command in commands[1:]:
            value = self.command(command, root, value)
        if not names:
            return value
        places: list[int] = []
        for name in names:
            place = self.place(name) if assigns else self.declare(name)
            if place is None:
                return _failing(f"undefined variable: {name}")
            places.append(place)

        def run(frame: Frame, dot: Any) -> Any:
            result = value(frame, dot)
            for place in places:
                if assigns and frame.vars[place] is NOTHING:
                    raise ExecError("undefined variable")
                frame.vars[place] = result
            return result

        return run

    def command(self, operands: list[Node], root: bool, final: Value | None) -> Value:
        """One stage of a pipeline; `final` gives the value of the stage before."""
        head, kind = operands[0], operands[0][0]
        if kind == "ident":
            return self.function(head, operands[1:], root, final)
        if kind == "field":
            return self.access(None, head[1], head[2], operands, root, final)
        if kind == "chain":
            return self.access(self.operand(head[1], root), head[2], head[3], operands, root, final)
        if kind == "var" and head[2]:
            return self.access(self.variable(head), head[2], head[3], operands, root, final)
        if len(operands) > 1 or final is not None:
            return _failing("can't give argument to non-function")
        if kind == "nil":
            return _failing("nil is not a command")
        return self.operand(head, root)

    def operand(self, node: Node, root: bool) -> Value:
        """The value of one operand that takes no arguments."""
        kind = node[0]
        if kind == "pipe":
            return self.pipe(node, root)
        if kind == "var":
            if node[2]:
                return self.access(self.variable(node), node[2], node[3], [node], root, None)
            return self.variable(node)
        if kind in ("field", "chain", "ident"):
            return self.command([node], root, None)
        if kind == "dot":
            return lambda frame, dot: dot
        constant = None if kind == "nil" else node[1].ideal if kind == "number" else node[1]
        if kind == "number" and constant is None:
            return _failing("a number overflows int")
        return lambda frame, dot: constant

    def variable(self, node: Node) -> Value:
        place = self.place(node[1])
        if place is None:
            return _failing(f"undefined variable: {node[1]}")

        def run(frame: Frame, dot: Any) -> Any:
            value = frame.vars[place]
            if value is NOTHING:
                raise ExecError("undefined variable")
            return value

        return run

    def access(
        self, base: Value | None, names: list[str], pos: int, operands: list[Node], root: bool, final: Value | None
    ) -> Value:
        """A chain of names, the last of which may take arguments.

        base  gives the first receiver; None stands for the dot.
        """
        first = operands[0]
        if (base is None and root) or (first[0] == "var" and first[1] == "$"):
            self.check(names, pos)
        *path, last = names
        if len(operands) == 1 and final is None:
            return _reader(base, [*path, last])
        receiver = _reader(base, path)
        args = [self.argument(n, root) for n in operands[1:]]

        def run(frame: Frame, dot: Any) -> Any:
            on = receiver(frame, dot)
            kinds = _argument_kinds(on, last)
            given = [arg(frame, dot, kinds[i] if i < len(kinds) else "any") for i, arg in enumerate(args)]
            if final is not None:
                value = final(frame, dot)
                given.append(_checked(value, kinds[len(given)]) if len(given) < len(kinds) else value)
            return call_method(on, last, tuple(given))

        return run

    def argument(self, node: Node, root: bool) -> Callable[[Frame, Any, str], Any]:
        """An operand as the argument of a method that wants a certain type."""
        if node[0] == "number":
            number = node[1]

            def count(frame: Frame, dot: Any, kind: str) -> Any:
                value = number.whole if kind == "int" else number.ideal
                if kind == "string" or value is None:
                    raise ExecError(f"expected {kind}; found a number")
                return value

            return count
        value = self.operand(node, root)
        return lambda frame, dot, kind: _checked(value(frame, dot), kind)

    def check(self, names: list[str], pos: int) -> None:
        """Refuses a chain from the root that meets a name of Go's which is not supported here."""
        spot = "root"
        for name in names:
            kind, onward = SCHEMA[spot]
            if name in kind.UNSUPPORTED:
                raise TemplateError(self.text, pos, f".{'.'.join(names)}: {name} of {kind.TYPE} is not supported")
            if name not in onward:
                return
            spot = onward[name]

    def function(self, head: Node, operands: list[Node], root: bool, final: Value | None) -> Value:
        _, name, pos = head
        args = [self.operand(n, root) for n in operands]
        if final is not None:
            args.append(final)
        if name in functions.LAZY:
            return _lazy(args, name == "or")
        function, fewest, most = functions.TABLE[name]
        if len(args) < fewest or (most >= 0 and len(args) > most):
            return _failing(f"wrong number of args for {name}: got {len(args)}")
        if name == "printf" and operands and operands[0][0] == "string":
            return self.formatted(operands[0][1], pos, args[1:])
        if len(args) == 1:
            only = args[0]
            return lambda frame, dot: function(only(frame, dot))
        if len(args) == 2:
            left, right = args
            return lambda frame, dot: function(left(frame, dot), right(frame, dot))
        return lambda frame, dot: function(*[arg(frame, dot) for arg in args])

    def formatted(self, pattern: str, pos: int, args: list[Value]) -> Value:
        """printf with a constant format, which is read once."""
        try:
            parts = fmt.parse(pattern)
        except ExecError as fault:
            raise TemplateError(self.text, pos, str(fault)) from None
        return lambda frame, dot: fmt.sprintf(parts, tuple([arg(frame, dot) for arg in args]))


def _failing(reason: str) -> Value:
    def run(frame: Frame, dot: Any) -> Any:
        raise ExecError(reason)

    return run


def _lazy(args: list[Value], stop_at: bool) -> Value:
    if not args:
        return _failing("wrong number of args for and/or: want at least 1 got 0")

    def run(frame: Frame, dot: Any) -> Any:
        value = None
        for arg in args:
            value = arg(frame, dot)
            if truth(value) == stop_at:
                return value
        return value

    return run


def _reader(base: Value | None, names: list[str]) -> Value:
    """Follows names without arguments, from the dot when there is no base."""
    if len(names) == 2 and base is None:
        one, two = names
        return lambda frame, dot: field(field(dot, one), two)

    def run(frame: Frame, dot: Any) -> Any:
        value = dot if base is None else base(frame, dot)
        for name in names:
            value = field(value, name)
        return value

    return run


def _argument_kinds(receiver: object, name: str) -> tuple[str, ...]:
    method = getattr(receiver, "METHODS", {}).get(name)
    return method[1] if method else ()


def _checked(value: object, kind: str) -> object:
    """The value when it may stand where a type is wanted. Raises ExecError otherwise."""
    if kind == "any" or (kind == "string" and type(value) is str) or (kind == "int" and type(value) is int):
        return value
    raise ExecError(f"wrong type for value; expected {kind}; got {type_name(value)}")


def _pairs(value: object, two: bool) -> list[tuple[Any, Any]]:
    """Keys and items to go through, in Go's order.

    two  whether both are asked for, which a number does not give.
    """
    if isinstance(value, list):
        return list(enumerate(value))
    if isinstance(value, Map):
        return sorted(value.items.items(), key=lambda pair: pair[0].encode("utf-8", "surrogateescape"))
    if value is None or (isinstance(value, NilPointer) and not two):
        return []
    if isinstance(value, int) and not isinstance(value, bool):
        if two:
            raise ExecError(f"can't use {value} to iterate over more than one variable")
        if value > ITERATIONS_MAX:
            raise ExecError(f"a range over {value} is not supported")
        return [(None, i) for i in range(value)]
    raise ExecError(f"range can't iterate over {type_name(value)}")


# A log line is short; a loop over a number is never meant to be longer.
ITERATIONS_MAX = 10_000
