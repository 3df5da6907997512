"""Compiles modules. It is run by the Python that the byte code is for, with its standard library alone.

`compiler.py VERSION JOBS`: JOBS is a JSON file with a list of `[source, byte code, path in the bundle]`.
"""

import json
import py_compile
import sys

TASK = "/var/task/"
"""Where Lambda unpacks a bundle: the files' names in tracebacks. Python corrects them where a bundle is elsewhere."""
HOST = "/host" if sys.platform == "emscripten" else ""


def main() -> None:
    version, jobs = sys.argv[1:]
    if version != f"{sys.version_info.major}.{sys.version_info.minor}":
        sys.exit(f"This is Python {sys.version.split()[0]}, and the byte code is wanted for {version}.")
    with open(HOST + jobs, encoding="utf-8") as file:  # noqa: PTH123 -- pathlib takes long to load
        wanted = json.load(file)
    for source, target, name in wanted:
        try:
            py_compile.compile(
                HOST + source,
                cfile=HOST + target,
                dfile=TASK + name,
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except py_compile.PyCompileError as error:
            sys.exit(error.msg)


if __name__ == "__main__":
    main()
