"""Lets an interpreter inside another program use its own standard library.

Such an interpreter looks for its library beside the `python3` that it finds in PATH. Where that is another build of the
same version (of pyenv, say), the compiled modules there do not fit the shared library that runs. What counts is where
that shared library lies.
"""

import os
import sys


def own_library(maps: str = "/proc/self/maps") -> str | None:
    """The folder of the standard library that belongs to the shared library which runs, or None where that is unknown."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    try:
        with open(maps, encoding="utf-8", errors="replace") as file:
            paths = [line.rstrip("\n").split(" ", 5)[-1].strip() for line in file if f"/lib{name}" in line]
    except OSError:
        return None
    for path in paths:
        folder = os.path.dirname(path)
        while folder not in ("/", ""):
            library = os.path.join(folder, "lib", name)
            if os.path.isfile(os.path.join(library, "os.py")):
                return library
            folder = os.path.dirname(folder)
    return None


def settle() -> None:
    """Puts the right folders in the place of wrong ones."""
    right = own_library()
    wrong = os.path.dirname(os.path.abspath(os.__file__))
    if right is None or os.path.realpath(right) == os.path.realpath(wrong):
        return
    sys.path[:] = [right + path[len(wrong) :] if path.startswith(wrong) else path for path in sys.path]
    sys.path_importer_cache.clear()
