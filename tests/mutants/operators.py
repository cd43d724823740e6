"""Every small fault that can be made in a module by rule: where each is, and the text with it in.

What is left alone: docstrings and annotations, decorators, imports, ``assert`` (removing one changes nothing in code that
is right) and the sentences of errors, which are words for people and have tests of their own.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
CONDITIONAL = (ast.If, ast.While, ast.IfExp)
WORDS = ("cast", "TypeVar", "info", "warning", "error", "debug", "__init__")
"""Calls whose arguments are left alone."""
REMOVABLE = (ast.Expr, ast.AugAssign, ast.Delete, ast.Raise, ast.Continue, ast.Break)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: in the lines from ``line`` to ``last_line`` the text ``old`` becomes ``new``."""

    rule: str
    line: int
    last_line: int
    """The last line of the statement around it: what runs any of these lines meets the fault."""
    start: int
    end: int
    """Where it is, in bytes of the module."""
    old: str
    new: str

    def put_in(self, source: bytes) -> bytes:
        """Return the module with the fault."""
        return source[: self.start] + self.new.encode() + source[self.end :]


def faults_of(source: bytes) -> list[Fault]:
    """Return every fault that the rules make of a module, in the order of its text."""
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    found = []
    for node, statement in _nodes(ast.parse(source)):
        place = node.test if isinstance(node, CONDITIONAL) else node
        start = starts[place.lineno - 1] + place.col_offset
        end = starts[place.end_lineno - 1] + place.end_col_offset
        first = getattr(statement, "body", None)
        last_line = statement.end_lineno
        if isinstance(first, list) and first:
            last_line = max(statement.lineno, first[0].lineno - 1)
        old = source[start:end].decode()
        for rule, new in RULES.get(type(node), _nothing)(node):
            if new != old:
                found.append(Fault(rule, node.lineno, last_line, start, end, old, new))
    return sorted(dict.fromkeys(found), key=lambda fault: (fault.start, fault.end, fault.rule, fault.new))


def _nodes(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, ast.stmt]]:
    """Yield what may be changed, each with the statement that it is part of."""

    def walk(node: ast.AST, statement: ast.stmt | None) -> Iterator[tuple[ast.expr | ast.stmt, ast.stmt]]:
        if isinstance(node, ast.stmt):
            statement = node
        if isinstance(node, (ast.expr, ast.stmt)) and statement is not None:
            yield node, statement
        for child in _parts(node):
            yield from walk(child, statement)

    yield from walk(tree, None)


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of a node that may be changed."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Assert() | ast.JoinedStr() | ast.Raise():
            return
        case ast.Expr(value=ast.Constant()):
            return
        case ast.If() if _for_types(node):
            return
        case ast.AnnAssign(value=value):
            if value is not None:
                yield value
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from (default for default in (*node.args.defaults, *node.args.kw_defaults) if default is not None)
            yield from node.body
        case ast.ClassDef():
            yield from node.body
        case ast.Call() if _speaks(node):
            return
        case _:
            yield from ast.iter_child_nodes(node)


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _speaks(node: ast.Call) -> bool:
    """Whether a call makes an error or writes a log: what is in it are words for people."""
    func = node.func
    name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
    return name in WORDS or any(keyword.arg == "hint" for keyword in node.keywords)


def _nothing(_: ast.AST) -> Iterator[tuple[str, str]]:
    return iter(())


def _compare(node: ast.Compare) -> Iterator[tuple[str, str]]:
    for number, operator in enumerate(node.ops):
        for other in COMPARISONS[type(operator)]:
            operators = [*node.ops[:number], other(), *node.ops[number + 1 :]]
            yield "comparison", _text(ast.Compare(node.left, operators, node.comparators))


def _arithmetic(node: ast.BinOp) -> Iterator[tuple[str, str]]:
    other = ARITHMETIC.get(type(node.op))
    if other is not None:
        yield "arithmetic", _text(ast.BinOp(node.left, other(), node.right))


def _boolean(node: ast.BoolOp) -> Iterator[tuple[str, str]]:
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield "boolean", _text(ast.BoolOp(other, node.values))


def _unary(node: ast.UnaryOp) -> Iterator[tuple[str, str]]:
    yield ("boolean" if isinstance(node.op, ast.Not) else "arithmetic"), _text(node.operand)


def _constant(node: ast.Constant) -> Iterator[tuple[str, str]]:
    match node.value:
        case bool(value):
            yield "constant", repr(not value)
        case int(value) | float(value):
            yield "constant", repr(value + 1)
        case str(value) if value and " " not in value:  # what has spaces is a sentence
            yield "constant", repr(f"{value}?")


def _return(node: ast.Return) -> Iterator[tuple[str, str]]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield "return value", "return None"


def _condition(node: ast.If | ast.While | ast.IfExp) -> Iterator[tuple[str, str]]:
    """Turn a condition round that no other rule changes; the fault is put where the condition is."""
    if isinstance(node.test, (ast.Name, ast.Attribute, ast.Call, ast.Await)) and not _for_types(node):
        yield "boolean", _text(ast.UnaryOp(ast.Not(), node.test))


ORDERLESS = frozenset({"min", "max", "np.minimum", "np.maximum"})
"""Functions for which it does not matter which of two arguments comes first."""


def _call(node: ast.Call) -> Iterator[tuple[str, str]]:
    if len(node.args) > 1 and not any(isinstance(each, ast.Starred) for each in node.args[:2]):
        first, second, *rest = node.args
        if ast.unparse(first) == ast.unparse(second) or ast.unparse(node.func) in ORDERLESS:
            return  # no fault
        yield "swapped arguments", _text(ast.Call(node.func, [second, first, *rest], node.keywords))


def _removed(node: ast.stmt) -> Iterator[tuple[str, str]]:
    if not (isinstance(node, ast.Expr) and isinstance(node.value, (ast.Constant, ast.Yield, ast.YieldFrom))):
        yield "removed statement", "pass"


RULES: dict[type[ast.AST], Callable[[Any], Iterator[tuple[str, str]]]] = {
    ast.Compare: _compare,
    ast.BinOp: _arithmetic,
    ast.BoolOp: _boolean,
    ast.UnaryOp: _unary,
    ast.Constant: _constant,
    ast.Return: _return,
    ast.If: _condition,
    ast.While: _condition,
    ast.IfExp: _condition,
    ast.Call: _call,
    **dict.fromkeys(REMOVABLE, _removed),
}


def _text(node: ast.expr) -> str:
    """Return a node as text that fits wherever an expression does."""
    return f"({ast.unparse(node)})"
