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

    def nodes(self, tree: list, root: bool):
        steps = [getattr(self, "_" + node[0])(node, root) for node in tree]
        if len(steps) == 1:
            return steps[0]

        def run(frame, dot):
            for step in steps:
                signal = step(frame, dot)
                if signal:
                    return signal
            return GO_ON

        return run

    def _text(self, node: tuple, root: bool):
        piece = node[1]

        def run(frame, dot):
            frame.out.append(piece)

        return run

    def _action(self, node: tuple, root: bool):
        value = self.pipe(node[1], root)
        if node[2]:

            def quiet(frame, dot):
                value(frame, dot)

            return quiet
        to_text = functions.to_text

        def run(frame, dot):
            frame.out.append(to_text(value(frame, dot)))

        return run

    def _break(self, node: tuple, root: bool):
        return lambda frame, dot: BREAK

    def _continue(self, node: tuple, root: bool):
        return lambda frame, dot: CONTINUE

    def _if(self, node: tuple, root: bool):
        known = len(self.scope)
        value = self.pipe(node[1], root)
        body, otherwise = self.nodes(node[2], root), self.nodes(node[3], root)
        del self.scope[known:]

        def run(frame, dot):
            return body(frame, dot) if truth(value(frame, dot)) else otherwise(frame, dot)

        return run

    def _with(self, node: tuple, root: bool):
        known = len(self.scope)
        value = self.pipe(node[1], root)
        body, otherwise = self.nodes(node[2], False), self.nodes(node[3], root)
        del self.scope[known:]

        def run(frame, dot):
            found = value(frame, dot)
            return body(frame, found) if truth(found) else otherwise(frame, dot)

        return run

    def _range(self, node: tuple, root: bool):
        known = len(self.scope)
        value = self.pipe(node[1], root)
        places = [self.place(name) for name in node[1][1]]
        body, otherwise = self.nodes(node[2], False), self.nodes(node[3], root)
        del self.scope[known:]
        item_place = places[-1] if places else None
        key_place = places[0] if len(places) > 1 else None

        def run(frame, dot):
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

    def pipe(self, node: tuple, root: bool):
        _, names, assigns, commands = node
        value = None
        for command in commands:
            value = self.command(command, root, value)
        places = [self.place(n) if assigns else self.declare(n) for n in names]
        if not places:
            return value
        if None in places:
            return _failing(f"undefined variable: {names[0]}")

        def run(frame, dot):
            result = value(frame, dot)
            for place in places:
                if assigns and frame.vars[place] is NOTHING:
                    raise ExecError("undefined variable")
                frame.vars[place] = result
            return result

        return run

    def command(self, operands: list, root: bool, final):
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

    def operand(self, node: tuple, root: bool):
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
        constant = {"nil": None}.get(kind, node[-1])
        if kind == "number":
            constant = constant.ideal
            if constant is None:
                return _failing("a number overflows int")
        return lambda frame, dot: constant

    def variable(self, node: tuple):
        place = self.place(node[1])
        if place is None:
            return _failing(f"undefined variable: {node[1]}")

        def run(frame, dot):
            value = frame.vars[place]
            if value is NOTHING:
                raise ExecError("undefined variable")
            return value

        return run

    def access(self, base, names: list, pos: int, operands: list, root: bool, final):
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

        def run(frame, dot):
            on = receiver(frame, dot)
            kinds = _argument_kinds(on, last)
            given = [arg(frame, dot, kinds[i] if i < len(kinds) else "any") for i, arg in enumerate(args)]
            if final is not None:
                value = final(frame, dot)
                given.append(_checked(value, kinds[len(given)]) if len(given) < len(kinds) else value)
            return call_method(on, last, tuple(given))

        return run

    def argument(self, node: tuple, root: bool):
        """An operand as the argument of a method that wants a certain type."""
        if node[0] == "number":
            number = node[1]

            def count(frame, dot, kind):
                value = number.whole if kind == "int" else number.ideal
                if kind == "string" or value is None:
                    raise ExecError(f"expected {kind}; found a number")
                return value

            return count
        value = self.operand(node, root)
        return lambda frame, dot, kind: _checked(value(frame, dot), kind)

    def check(self, names: list, pos: int) -> None:
        """Refuses a chain from the root that meets a name of Go's which is not supported here."""
        spot = "root"
        for name in names:
            kind, onward = SCHEMA[spot]
            if name in kind.UNSUPPORTED:
                raise TemplateError(self.text, pos, f".{'.'.join(names)}: {name} of {kind.TYPE} is not supported")
            if name not in onward:
                return
            spot = onward[name]

    def function(self, head: tuple, operands: list, root: bool, final):
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

    def formatted(self, pattern: str, pos: int, args: list):
        """printf with a constant format, which is read once."""
        try:
            parts = fmt.parse(pattern)
        except ExecError as fault:
            raise TemplateError(self.text, pos, str(fault)) from None
        return lambda frame, dot: fmt.sprintf(parts, tuple([arg(frame, dot) for arg in args]))


def _failing(reason: str):
    def run(frame, dot):
        raise ExecError(reason)

    return run


def _lazy(args: list, stop_at: bool):
    if not args:
        return _failing("wrong number of args for and/or: want at least 1 got 0")

    def run(frame, dot):
        value = None
        for arg in args:
            value = arg(frame, dot)
            if truth(value) == stop_at:
                return value
        return value

    return run


def _reader(base, names: list):
    """Follows names without arguments, from the dot when there is no base."""
    if len(names) == 2 and base is None:
        one, two = names
        return lambda frame, dot: field(field(dot, one), two)

    def run(frame, dot):
        value = dot if base is None else base(frame, dot)
        for name in names:
            value = field(value, name)
        return value

    return run


def _argument_kinds(receiver: object, name: str) -> tuple:
    method = getattr(receiver, "METHODS", {}).get(name)
    return method[1] if method else ()


def _checked(value: object, kind: str) -> object:
    """The value when it may stand where a type is wanted. Raises ExecError otherwise."""
    if kind == "any" or (kind == "string" and type(value) is str) or (kind == "int" and type(value) is int):
        return value
    raise ExecError(f"wrong type for value; expected {kind}; got {type_name(value)}")


def _pairs(value: object, two: bool) -> list:
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
