"""DynamoDB's expression language: text in, syntax trees out. Placeholders stay unresolved.

Trees are pure functions of the text, so they are cached.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from localaws.errors import invalid
from localaws.tokens import Tokens

_TOKEN = re.compile(r"\s*([#:][A-Za-z0-9_]+|[A-Za-z][A-Za-z0-9_]*|\d+|<>|<=|>=|[=<>()\[\],.+-])")
_MAX_BYTES = 4096
_SHOWN_CHARS = 100
_COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")
_KEYWORDS = frozenset(("AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE"))
_ARITY = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
}


@dataclass(frozen=True)
class Path:
    """Attribute names (or #placeholders) and list indexes."""

    parts: tuple[str | int, ...]


@dataclass(frozen=True)
class Placeholder:
    """A :value."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function of a condition or of a SET value, or `+` and `-`."""

    name: str
    arguments: tuple["Operand", ...]


Operand = Path | Placeholder | Call


@dataclass(frozen=True)
class Compare:
    """`op` is a comparator, BETWEEN (three operands) or IN (the first among the others)."""

    op: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True)
class Logic:
    """AND, OR (two terms), NOT (one)."""

    op: str
    terms: tuple["Condition", ...]


Condition = Compare | Logic | Call


@dataclass(frozen=True)
class Action:
    """One SET, REMOVE, ADD or DELETE of an update expression."""

    verb: str
    path: Path
    value: Operand | None


@lru_cache(maxsize=1024)
def parse_condition(text: str, kind: str) -> Condition:
    parser = _Parser(text, kind)
    return parser.whole(parser.condition)


@lru_cache(maxsize=1024)
def parse_update(text: str) -> tuple[Action, ...]:
    parser = _Parser(text, "UpdateExpression")
    return parser.whole(parser.actions)


@lru_cache(maxsize=1024)
def parse_projection(text: str) -> tuple[Path, ...]:
    parser = _Parser(text, "ProjectionExpression")
    return parser.whole(parser.paths)


class _Parser(Tokens):
    """Recursive descent over one expression."""

    def __init__(self, text: str, kind: str):
        self._kind = kind
        if len(text.encode()) > _MAX_BYTES:
            raise invalid(
                f"Invalid {kind}: Expression size has exceeded the maximum allowed size;"
            )
        super().__init__(text, _TOKEN)

    def fail(self) -> NoReturn:
        near = " ".join(self._tokens[max(0, self._at - 1) : self._at + 2])[:_SHOWN_CHARS]
        token = self.peek()[:_SHOWN_CHARS] or "<EOF>"
        raise invalid(f'Invalid {self._kind}: Syntax error; token: "{token}", near: "{near}"')

    def condition(self) -> Condition:
        term = self._conjunction()
        while self.accept("OR"):
            term = Logic("OR", (term, self._conjunction()))
        return term

    def actions(self) -> tuple[Action, ...]:
        actions: list[Action] = []
        seen: set[str] = set()
        while self.peek():
            verb = self.take().upper()
            if verb not in ("SET", "REMOVE", "ADD", "DELETE"):
                self.fail()
            if verb in seen:
                message = f'The "{verb}" section can only be used once'
                raise invalid(f"Invalid UpdateExpression: {message}")
            seen.add(verb)
            actions.append(self._action(verb))
            while self.accept(","):
                actions.append(self._action(verb))
        if not actions:
            raise invalid("Invalid UpdateExpression: The expression can not be empty;")
        return tuple(actions)

    def paths(self) -> tuple[Path, ...]:
        paths = [self._path()]
        while self.accept(","):
            paths.append(self._path())
        return tuple(paths)

    def _action(self, verb: str) -> Action:
        path = self._path()
        if verb == "REMOVE":
            return Action(verb, path, None)
        if verb == "SET":
            self.expect("=")
            return Action(verb, path, self._set_value())
        value = self._operand()
        if not isinstance(value, Placeholder):
            self.fail()
        return Action(verb, path, value)

    def _path(self) -> Path:
        parts: list[str | int] = [self._name()]
        while self.peek() in (".", "["):
            if self.take() == ".":
                parts.append(self._name())
            else:
                parts.append(self._index())
        return Path(tuple(parts))

    def _conjunction(self) -> Condition:
        term = self._negation()
        while self.accept("AND"):
            term = Logic("AND", (term, self._negation()))
        return term

    def _negation(self) -> Condition:
        if self.accept("NOT"):
            return Logic("NOT", (self._negation(),))
        if self.accept("("):
            term = self.condition()
            self.expect(")")
            return term
        return self._comparison()

    def _comparison(self) -> Condition:
        left = self._operand()
        if isinstance(left, Call) and left.name in _ARITY:
            return left
        if self.accept("BETWEEN"):
            low = self._operand()
            self.expect("AND")
            return Compare("BETWEEN", (left, low, self._operand()))
        if self.accept("IN"):
            self.expect("(")
            return Compare("IN", (left, *self._arguments()))
        op = self.take()
        if op not in _COMPARATORS:
            self.fail()
        return Compare(op, (left, self._operand()))

    def _operand(self) -> Operand:
        token = self.peek()
        if token.startswith(":"):
            return Placeholder(self.take())
        if self.peek(1) == "(":
            return self._call()
        return self._path()

    def _call(self) -> Call:
        name = self.take()
        self.expect("(")
        arguments = self._arguments()
        wanted = {"size": 1, "if_not_exists": 2, "list_append": 2, **_ARITY}.get(name)
        if wanted is None:
            raise invalid(f"Invalid {self._kind}: Invalid function name; function: {name}")
        if wanted != len(arguments):
            raise invalid(
                f"Invalid {self._kind}: Incorrect number of operands for operator or function; "
                f"operator or function: {name}, number of operands: {len(arguments)}"
            )
        return Call(name, arguments)

    def _arguments(self) -> tuple[Operand, ...]:
        arguments = [self._operand()]
        while self.accept(","):
            arguments.append(self._operand())
        self.expect(")")
        return tuple(arguments)

    def _set_value(self) -> Operand:
        left = self._set_term()
        if self.peek() in ("+", "-"):
            return Call(self.take(), (left, self._set_term()))
        return left

    def _set_term(self) -> Operand:
        if self.accept("("):
            value = self._set_value()
            self.expect(")")
            return value
        return self._operand()

    def _name(self) -> str:
        if not (self.peek()[:1] == "#" or self.peek()[:1].isalpha()):
            self.fail()
        token = self.take()
        if token[0] != "#" and token.upper() in _reserved():
            raise invalid(
                f"Invalid {self._kind}: Attribute name is a reserved keyword; "
                f"reserved keyword: {token}"
            )
        return token

    def _index(self) -> int:
        token = self.take()
        if not token.isdigit():
            self.fail()
        self.expect("]")
        return int(token)


@lru_cache(maxsize=1)
def _reserved() -> frozenset[str]:
    return frozenset(ReservedKeywords.get_reserved_keywords()) | _KEYWORDS
