"""The simulated quotas: those of a default account in us-east-1, or none. The numbers are the doctor's."""

import math
from dataclasses import fields
from typing import Any, Final

from infra.doctor.quotas import Quotas, Rate, quotas

REGION: Final = "us-east-1"
US_EAST_1: Final = quotas(REGION)


def _unlimited() -> Quotas:
    infinite: dict[str, Any] = {}
    for field in fields(Quotas):
        value = getattr(US_EAST_1, field.name)
        if isinstance(value, Rate):
            infinite[field.name] = Rate(per_second=math.inf, burst=math.inf)
        elif isinstance(value, float | int):
            infinite[field.name] = math.inf
    return Quotas(**infinite)


UNLIMITED: Final = _unlimited()
"""The local engine has no quotas."""
