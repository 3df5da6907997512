"""One synth of each environment for the whole session: it takes seconds."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pytest

from infra.toolchain import use_bundled_node

Templates = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="session")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Templates]:
    """Templates by stack name of an environment, with `-c` options as keywords. No cdk-nag, empty bundles."""
    use_bundled_node()
    from aws_cdk import App  # noqa: PLC0415 -- starts Node

    from infra.app import build, feature_flags  # noqa: PLC0415
    from infra.check import templates  # noqa: PLC0415
    from infra.environments import load  # noqa: PLC0415
    from infra.functions import FUNCTIONS  # noqa: PLC0415

    empty = tmp_path_factory.mktemp("bundle")
    (empty / "handler.py").write_text("")

    @cache
    def synth(name: str, only: str | None = None, **options: str) -> Templates:
        folder = tmp_path_factory.mktemp(name)
        app = App(outdir=str(folder), context=feature_flags())
        build(app, load(name, options), {function.name: empty for function in FUNCTIONS}, only)
        app.synth()
        return templates(folder)

    return synth
