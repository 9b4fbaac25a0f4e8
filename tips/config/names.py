"""The one rule for names from outside that become parts of paths, rules and commands."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator

from tips.config.layers import ConfigError
from tips.safe_text import cut, visible

# No character of it means anything to a shell, to a regular expression's user, or to a path.
PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
RULE: Final = (
    "a name has 1 to 64 letters, digits, '.', '_' and '-', and begins with a letter or digit"
)


def as_name(name: str, where: str, remedy: str = "rename it") -> str:
    """Gives a name back if it keeps the rule.

    Args:
        name: the name.
        where: begins the message, such as the file that holds the name.
        remedy: ends the message.

    Raises:
        ConfigError: if the name could mean something to a shell or leave its folder.
    """
    if not PATTERN.fullmatch(name):
        raise ConfigError(f"{where}: '{_shown(name)}' cannot be used: {RULE}; {remedy}")
    return name


def _shown(name: str) -> str:
    return cut(visible(name), 70)


def _judged(name: str) -> str:
    if not PATTERN.fullmatch(name):
        raise ValueError(f"{RULE}; got '{_shown(name)}'")
    return name


Name = Annotated[str, AfterValidator(_judged)]
