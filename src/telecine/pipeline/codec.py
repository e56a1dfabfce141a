"""Plans and probes as JSON: fractions are "num/den", tuples are lists.

The objects outlive the program that wrote them: fields may be added with a default,
never renamed. Unknown members are ignored.
"""

import json
from dataclasses import MISSING, fields, is_dataclass
from fractions import Fraction
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from telecine.pipeline.model import PLAN_VERSION, Plan, Probe

T = TypeVar("T")


class CodecError(ValueError):
    """The bytes are not such an object, or one of a later version."""


def plan_to_json(plan: Plan) -> bytes:
    """Return the plan as UTF-8 JSON; equal plans give equal bytes."""
    return _dump(plan)


def plan_from_json(data: bytes | memoryview) -> Plan:
    """Read a plan. Raises CodecError."""
    plan = _load(Plan, data)
    if plan.version != PLAN_VERSION:
        raise CodecError(f"plan of version {plan.version}, expected {PLAN_VERSION}")
    return plan


def probe_to_json(probe: Probe) -> bytes:
    """Return the probe as UTF-8 JSON."""
    return _dump(probe)


def probe_from_json(data: bytes | memoryview) -> Probe:
    """Read a probe. Raises CodecError."""
    return _load(Probe, data)


def _dump(value: object) -> bytes:
    return json.dumps(_plain(value), separators=(",", ":"), allow_nan=False).encode()


def _plain(value: Any) -> Any:  # noqa: ANN401 - any field of any dataclass
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, tuple):
        # Cuts and key frames are tens of thousands of plain integers.
        return list(value) if value and isinstance(value[0], int) else [*map(_plain, value)]
    return value


def _load(kind: type[T], data: bytes | memoryview) -> T:
    try:
        loaded: T = _typed(kind, json.loads(bytes(data)))
    except (ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError) as error:
        raise CodecError(f"not a {kind.__name__}: {error}") from error
    return loaded


def _typed(kind: Any, value: Any) -> Any:  # noqa: ANN401 - driven by type hints
    if is_dataclass(kind) and isinstance(kind, type):
        return kind(**_members(kind, value))
    if get_origin(kind) is UnionType:
        if value is None:
            return None
        (inner,) = (option for option in get_args(kind) if option is not type(None))
        return _typed(inner, value)
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        return tuple(value) if item is int else tuple(_typed(item, each) for each in value)
    if kind is Fraction:
        return Fraction(value)
    if kind is float:
        return float(value)
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not {kind.__name__}")
    return value


def _members(kind: type, value: dict[str, Any]) -> dict[str, Any]:
    hints = _hints(kind)
    members = {}
    for field in fields(kind):
        if field.name in value:
            members[field.name] = _typed(hints[field.name], value[field.name])
        elif field.default is MISSING:
            raise KeyError(field.name)
    return members


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
