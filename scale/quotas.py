"""Whose quotas are simulated: a default account's in us-east-1, or nobody's. The table is the doctor's."""

import math
from dataclasses import fields
from typing import Any, Final

from infra.doctor.quotas import Quotas, Rate, quotas

REGION: Final = "us-east-1"
US_EAST_1: Final = quotas(REGION)


def _unlimited() -> Quotas:
    none: dict[str, Any] = {}
    for field in fields(Quotas):
        value = getattr(US_EAST_1, field.name)
        if isinstance(value, Rate):
            none[field.name] = Rate(per_second=math.inf, burst=math.inf)
        elif isinstance(value, float | int):
            none[field.name] = math.inf
    return Quotas(**none)


UNLIMITED: Final = _unlimited()
"""The local engine has no quotas."""
