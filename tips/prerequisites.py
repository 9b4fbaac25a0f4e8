"""Checks what `make` needs of the system, before it downloads anything.

The system's own Python runs this file, whichever version it is. So it imports nothing of the
package, and its syntax is old.
"""

import ctypes
import importlib.util
import os
import shutil
import sys
import tempfile

SERVED = ((3, 11), (3, 13))  # first and last Python that every package of requirements.lock has


def missing() -> str:
    """Names what is missing, with the remedy; "" if nothing is."""
    first, last = (".".join(map(str, version)) for version in SERVED)
    if not SERVED[0] <= sys.version_info[:2] <= SERVED[1]:
        own = ".".join(map(str, sys.version_info[:2]))
        return (
            f"this is Python {own}, and requirements.lock serves {first} to {last}: "
            f"make PYTHON=python{last} ..."
        )
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            return "Python has no venv: apt install python3-venv, or the like of your system"
    if sys.platform == "linux" and not loads("libX11.so.6"):
        return "libX11 is missing, which the renderer links: apt install libx11-6"
    return ""


def loads(library: str) -> bool:
    """Tells whether the system has a shared library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def unwritable_cache() -> str:
    """Says why libraries cannot write below the user's cache folder; "" if they can.

    Snakemake, for one, ends with a traceback then.
    """
    folder = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return (
            f"{folder}: this cache folder cannot be written ({error.strerror}); name another one: "
            "XDG_CACHE_HOME=/tmp/cache make ..."
        )


if __name__ == "__main__":
    found = missing()
    if found:
        sys.exit(f"error: {found}")  # with exit code 1, which make turns into its own 2
    if shutil.which("g++") is None and shutil.which("c++") is None:
        sys.stderr.write("note: no g++, so torch computes what compiled kernels would, slower\n")
