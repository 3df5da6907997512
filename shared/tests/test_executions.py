"""Names of executions: restarts are numbered, and their names contain the pipeline's id."""

import re

from shared.contracts.executions import pipeline_of, restart_name, restart_number
from shared.contracts.limits import PIPELINE_ID_PATTERN


def test_a_restart_leads_back_to_its_pipeline():
    """The id and the number can be read from a restart's name, also for an id that looks like a restart itself."""
    for pipeline_id in ("p-1", "p-restart-1", "9f1c"):
        name = restart_name(pipeline_id, 3)
        assert (pipeline_of(name), restart_number(name, pipeline_id)) == (pipeline_id, 3)
    assert (pipeline_of("p-1"), restart_number("p-1", "p-1")) == ("p-1", 0)
    assert restart_number("p-restart-1", "p-restart-1") == 0


def test_the_longest_name_is_short_enough():
    """The longest pipeline id, restarted a hundred thousand times, is still an execution name (80 characters)."""
    longest = "x" * int(re.findall(r",(\d+)}", PIPELINE_ID_PATTERN)[0])
    assert len(restart_name(longest, 999_999)) <= 80
