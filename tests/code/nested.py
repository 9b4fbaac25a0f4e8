"""Nested values of json and yaml with one of them changed, for tests of hostile files."""

from typing import Any


def changed(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    """Copies nested values, with another one at a place; the place is keys and positions."""
    if not at:
        return new
    copied = value.copy()
    copied[at[0]] = changed(value[at[0]], at[1:], new)
    return copied
