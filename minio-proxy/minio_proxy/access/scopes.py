"""What a caller may do: read, write, admin, each including the one before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Scope: TypeAlias = Literal["read", "write", "admin"]

SCOPES: tuple[Scope, ...] = get_args(Scope)


def includes(held: Scope, needed: Scope) -> bool:
    """Tell whether ``held`` is enough where ``needed`` is asked for."""
    return SCOPES.index(held) >= SCOPES.index(needed)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request, once a key or token was accepted.

    Args:
        caller_id: id of the API key; ``local`` where no keys exist.
        scope: the widest scope it holds.
    """

    caller_id: str
    scope: Scope

    def may(self, needed: Scope) -> bool:
        """Tell whether this caller holds ``needed``."""
        return includes(self.scope, needed)


LOCAL = Caller("local", "admin")
"""The only caller of a service without keys, which listens on loopback alone."""
