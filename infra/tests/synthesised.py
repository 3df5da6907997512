"""Synthesises each environment once per test session, because a synth takes seconds."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pytest

Templates = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="session")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Templates]:
    """A function that returns an environment's templates by stack name; keywords are `-c` options.

    It runs without cdk-nag and with empty bundles.
    """
    from infra import synthesis  # noqa: PLC0415 -- starts Node
    from infra.environments import DEFAULT_REGION  # noqa: PLC0415
    from infra.options import load  # noqa: PLC0415

    packed = synthesis.stand_ins(tmp_path_factory.mktemp("bundle"))

    @cache
    def synth(name: str, only: str | None = None, region: str = DEFAULT_REGION, **options: str) -> Templates:
        folder = tmp_path_factory.mktemp(name)
        synthesis.synthesise(load(name, options, region=region), folder, packed, only=only)
        return synthesis.templates(folder)

    return synth
