"""Runs tests with pytest, in Pyodide: `pure.py ROOT MSGSPEC PACKAGES TEST…`, all paths of this machine.

MSGSPEC is the folder with msgspec for Pyodide. Of PACKAGES, only those in Python alone can be imported.
"""

import os
import sys

HOST = "/host"


def main():
    root, *folders = (HOST + path for path in sys.argv[1:4])
    sys.path[:0] = [folders[0], root, folders[1]]
    sys.dont_write_bytecode = True
    os.chdir(root)
    import pytest  # noqa: PLC0415 -- found in what was just added

    # The project's own set-up of tests needs moto and hypothesis, which are not in Python alone.
    options = ("-q", "--noconftest", "--disable-plugin-autoload", "--import-mode=importlib", "-o", "addopts=")
    sys.exit(int(pytest.main([*options, "-c", os.devnull, "--rootdir", root, *sys.argv[4:]])))


main()
