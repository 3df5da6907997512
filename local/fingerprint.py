"""The fingerprint of everything a deployment depends on: while it is unchanged, there is nothing to deploy."""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

SOURCES = (
    "environments", "infra", "shared", "services",
    "cdk.json", "package-lock.json", "requirements.txt", "requirements-dev.txt",
)  # fmt: skip
NOT_DEPLOYED = frozenset({"tests", "evaluation", "__pycache__", "README.md"})


def fingerprint(context: Mapping[str, str], root: Path) -> str:
    """Return a hash of the sources, the CDK context and the Python version that the bundles are built for."""
    digest = hashlib.sha256(json.dumps([sys.version_info[:2], sorted(context.items())]).encode())
    for path in sources(root):
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def sources(root: Path) -> Iterator[Path]:
    """Yield every file a deployment depends on."""
    for name in SOURCES:
        path = root / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and not NOT_DEPLOYED & set(file.relative_to(root).parts):
                yield file
