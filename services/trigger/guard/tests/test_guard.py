"""The budget's guard: which costs it sums, and when it pauses, resumes or does not touch the starter."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import msgspec
import pytest
from moto import mock_aws

from services.trigger.guard.core import AT_ONCE, SETTLED_AFTER
from services.trigger.guard.handler import Guard, GuardSettings, NoIndexError, OvertakenError
from shared.budget import INDEX, KEY, NANOS, ORDERS, STATE, Orders, State, budget_fields, state_of, written
from shared.errors import PermanentError
from shared.records import Records
from shared.tests.fakes import client_error, create_records_table

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
TODAY = "2026-11-23"
MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
TABLE = "budget"
LIMIT = 1.0
CENT = NANOS // 100


def _code() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.py", "")
    return packed.getvalue()


@dataclass
class World:
    """Records, the budget's table and the starter's mapping on moto; each run that ended cost `usd`."""

    table: Any
    functions: Any
    mapping: str

    def __post_init__(self) -> None:
        self.records = Records(self.table, "PipelineLogs")
        self.guard = self.new_guard()

    def new_guard(self, functions: Any = None) -> Guard:
        settings = GuardSettings(
            table_name="PipelineLogs", budget_table=TABLE, mapping_id=self.mapping, usd_per_day=LIMIT
        )
        return Guard(self.table, functions or self.functions, settings)

    def ended(self, name: str, usd: float | None, at: datetime, status: str = "SUCCEEDED") -> bool:
        cost = {"nano_usd": None if usd is None else round(usd * NANOS), "unknown": [] if usd else ["x"]}
        return self.records.advance(name, status, {"cost": cost, **budget_fields(name, cost, at)})

    def orders(self, **said: Any) -> None:
        self.table.put_item(TableName=TABLE, Item=written(ORDERS, Orders(**said)))

    @property
    def starter(self) -> str:
        return str(self.functions.get_event_source_mapping(UUID=self.mapping)["State"])

    def by_hand(self, *, on: bool) -> None:
        self.functions.update_event_source_mapping(UUID=self.mapping, Enabled=on)

    @property
    def stored(self) -> State:
        return state_of(self.table.get_item(TableName=TABLE, Key={KEY: {"S": STATE}}).get("Item"))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "trigger")
    with mock_aws():
        table = boto3.client("dynamodb")
        create_records_table(table, by_day=True)
        table.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        role = boto3.client("iam").create_role(RoleName="starter", AssumeRolePolicyDocument="{}")["Role"]
        functions = boto3.client("lambda")
        functions.create_function(
            FunctionName="starter",
            Runtime="python3.13",
            Role=role["Arn"],
            Handler="handler.handler",
            Code={"ZipFile": _code()},
        )
        url = boto3.client("sqs").create_queue(QueueName="trigger")["QueueUrl"]
        queue = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        mapping = functions.create_event_source_mapping(
            EventSourceArn=queue["Attributes"]["QueueArn"], FunctionName="starter"
        )
        yield World(table, functions, mapping["UUID"])


class Failing:
    """Lambda's client with one operation that fails."""

    def __init__(self, functions: Any, operation: str, code: str) -> None:
        self._functions, self._operation, self._code = functions, operation, code

    def __getattr__(self, name: str) -> Any:
        def fail(**_: Any) -> None:
            raise client_error(self._code, name)

        return fail if name == self._operation else getattr(self._functions, name)


def test_the_starter_runs_while_there_is_money(world):
    """Below the limit, the starter's mapping is not changed."""
    world.ended("p-1", 0.99, NOW)
    state = world.guard.look(NOW)
    assert (state.spent.nano_usd, state.spent.runs, state.paused) == (99 * CENT, 1, False)
    assert world.starter == "Enabled"


def test_the_run_that_reaches_the_limit_pauses_the_starter_once(world):
    """Two runs that exceed the limit pause the starter, with the time; the guard's next runs change nothing."""
    world.ended("p-1", 0.6, NOW)
    world.ended("p-2", 0.6, NOW)
    assert world.guard.look(NOW).paused
    assert world.starter == "Disabled"
    later = world.guard.look(NOW + timedelta(minutes=1))
    assert (later.paused, later.why, later.since) == (True, "budget", "2026-11-23T02:00:00.000Z")
    assert later.spent.nano_usd == 120 * CENT


def test_failed_and_cancelled_runs_cost_too(world):
    """A failed run counts, and its redrive counts in addition, as the model was asked again."""
    world.ended("p-1", 0.3, NOW - timedelta(minutes=30), "FAILED")
    world.guard.look(NOW - timedelta(minutes=20))
    world.ended("p-1", 0.4, NOW)
    assert world.guard.look(NOW).spent.nano_usd == 70 * CENT


def test_a_redelivered_end_counts_once(world):
    """A repeated end is refused by the record, so the run is not counted twice."""
    assert world.ended("p-1", 0.4, NOW)
    assert not world.ended("p-1", 0.4, NOW + timedelta(seconds=30))
    assert world.guard.look(NOW + timedelta(minutes=1)).spent.runs == 1


def test_a_run_without_a_known_price_is_told(world):
    """A run with an unknown price is counted as unknown, not as zero."""
    world.ended("p-1", None, NOW)
    assert world.guard.look(NOW).spent == msgspec.convert({"runs": 1, "unknown": 1}, type(State().spent))


@pytest.mark.parametrize("step", [timedelta(seconds=50), timedelta(minutes=3), timedelta(minutes=25)])
def test_every_end_counts_once_however_often_the_guard_looks(world, step):
    """After every run of the guard, the sum is that of all recorded runs, each once, in whatever order they became
    visible.
    """
    start = NOW - timedelta(minutes=50)
    for number in range(40):
        world.ended(f"p-{number}", 0.01, start + number * timedelta(minutes=1))
    now = start
    while now < NOW:
        now += step
        late = now - SETTLED_AFTER + timedelta(seconds=1)
        world.ended(f"late-{now}", 0.0001, late)  # visible long after it was stamped
        state = world.guard.look(now)
    fresh = world.guard
    world.table.delete_item(TableName=TABLE, Key={KEY: {"S": STATE}})
    assert fresh.look(NOW).spent == state.spent
    assert state.spent.runs > 40


def test_a_guard_that_dies_while_it_catches_up_goes_on(world):
    """Earlier sums are kept: a long day is read in windows, each only once."""
    for number in range(10):
        world.ended(f"p-{number}", 0.01, NOW - number * timedelta(minutes=12))
    world.functions = Failing(world.functions, "get_event_source_mapping", "AccessDeniedException")
    with pytest.raises(PermanentError):
        world.new_guard(world.functions).look(NOW)
    assert world.stored.settled.runs == 8
    assert datetime.fromisoformat(world.stored.upto) > NOW - AT_ONCE - SETTLED_AFTER


def test_midnight_resumes_whoever_slept_through_it(world):
    """The guard's first run on a new day resumes the starter, even hours late; yesterday's runs do not count."""
    world.ended("p-1", 2.0, NOW)
    world.guard.look(NOW)
    world.ended("p-2", 0.5, MIDNIGHT - timedelta(milliseconds=1))
    world.guard.look(MIDNIGHT - timedelta(seconds=1))
    assert world.starter == "Disabled"
    state = world.guard.look(MIDNIGHT + timedelta(hours=3))
    assert (state.paused, state.spent.nano_usd, state.day) == (False, 0, "2026-11-24")
    assert world.starter == "Enabled"


def test_a_late_end_of_yesterday_counts_today(world):
    """A run counts for the day on which its end is recorded; yesterday's sum is not read again."""
    world.guard.look(NOW)
    world.ended("p-1", 0.5, MIDNIGHT + timedelta(seconds=1))
    assert world.guard.look(MIDNIGHT + timedelta(minutes=1)).spent.nano_usd == 50 * CENT


def test_what_somebody_disabled_is_not_enabled(world):
    """The guard never enables a mapping that it did not disable itself, neither below the limit nor at midnight."""
    world.by_hand(on=False)
    world.guard.look(NOW)
    assert world.starter == "Disabled"
    world.ended("p-1", 2.0, NOW)
    world.guard.look(NOW)
    world.guard.look(MIDNIGHT)
    assert world.starter == "Disabled"


def test_what_somebody_enabled_is_paused_again(world):
    """A mapping enabled by hand or by a deployment is disabled again at the guard's next run."""
    world.ended("p-1", 2.0, NOW)
    world.guard.look(NOW)
    world.by_hand(on=True)
    world.guard.look(NOW + timedelta(minutes=1))
    assert world.starter == "Disabled"


def without_index(world: World) -> None:
    world.table.update_table(
        TableName="PipelineLogs", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": INDEX}}]
    )


@pytest.mark.parametrize("enabled_by", ["the guard", "the deployment"])
def test_a_budget_that_is_taken_away_leaves_the_starter_enabled(world, enabled_by):
    """Without the index, which a deployment removes first, the guard resumes what it paused and pauses nothing."""
    world.ended("p-1", 2.0, NOW)
    world.guard.look(NOW)
    assert world.starter == "Disabled"
    without_index(world)
    if enabled_by == "the deployment":
        world.by_hand(on=True)
    world.orders(hold=True)
    for minute in range(1, 4):
        with pytest.raises(NoIndexError):
            world.guard.look(NOW + timedelta(minutes=minute))
        assert world.starter == "Enabled"


def test_a_budget_that_is_taken_away_leaves_what_was_disabled_by_hand(world):
    """Without the index, the guard does not enable a mapping that it did not disable."""
    world.by_hand(on=False)
    world.guard.look(NOW)
    without_index(world)
    with pytest.raises(NoIndexError):
        world.guard.look(NOW + timedelta(minutes=1))
    assert world.starter == "Disabled"


def test_an_index_that_is_not_filled_yet_is_no_missing_index(world):
    """While DynamoDB fills a new index, the guard fails and switches nothing."""
    world.ended("p-1", 2.0, NOW)
    world.guard.look(NOW)
    filling = client_error("ValidationException", "Query")
    filling.response["Error"]["Message"] = "Cannot read from backfilling global secondary index: by-day"

    def query(**_: Any) -> None:
        raise filling

    world.table.query = query
    with pytest.raises(PermanentError):
        world.guard.look(NOW + timedelta(minutes=1))
    assert world.starter == "Disabled"


def test_an_operator_goes_on_today(world):
    """An operator's higher limit, or none, holds until midnight."""
    world.ended("p-1", 1.5, NOW)
    world.guard.look(NOW)
    world.orders(day=TODAY, added_nano_usd=NANOS)
    assert world.guard.look(NOW).limit_nano_usd == 2 * NANOS
    assert world.starter == "Enabled"
    world.ended("p-2", 5.0, NOW)
    world.guard.look(NOW)
    assert world.starter == "Disabled"
    world.orders(day=TODAY, unlimited=True)
    assert world.guard.look(NOW).limit_nano_usd is None
    assert world.starter == "Enabled"
    assert world.guard.look(MIDNIGHT).limit_nano_usd == NANOS


def test_an_operators_pause_outlives_midnight(world):
    """An operator's hold pauses the starter until it is revoked."""
    world.orders(hold=True)
    assert world.guard.look(NOW).why == "operator"
    assert world.guard.look(MIDNIGHT).paused
    world.orders()
    world.guard.look(MIDNIGHT)
    assert world.starter == "Enabled"


def test_without_the_right_the_guard_fails_and_tries_again(world):
    """A denied pause is stored and raises an error for the alarm; once it is permitted, the next run pauses."""
    world.ended("p-1", 2.0, NOW)
    denied = Failing(world.functions, "update_event_source_mapping", "AccessDeniedException")
    with pytest.raises(PermanentError):
        world.new_guard(denied).look(NOW)
    assert world.starter == "Enabled"
    world.guard.look(NOW)
    assert world.starter == "Disabled"
    world.guard.look(MIDNIGHT)
    assert world.starter == "Enabled"


def test_a_denied_resume_is_tried_again(world):
    """If enabling the mapping fails, the state still says that the guard disabled it."""
    world.ended("p-1", 2.0, NOW)
    world.guard.look(NOW)
    denied = Failing(world.functions, "update_event_source_mapping", "AccessDeniedException")
    with pytest.raises(PermanentError):
        world.new_guard(denied).look(MIDNIGHT)
    world.guard.look(MIDNIGHT)
    assert world.starter == "Enabled"


@pytest.mark.parametrize("moment", [NOW, MIDNIGHT], ids=["pause", "resume"])
def test_a_mapping_that_is_busy_is_left_to_the_next_look(world, moment):
    """A change that Lambda refuses because another is in progress is no error; the next run makes it."""
    world.ended("p-1", 2.0, NOW)
    if moment == MIDNIGHT:
        world.guard.look(NOW)
    before = world.starter
    world.new_guard(Failing(world.functions, "update_event_source_mapping", "ResourceInUseException")).look(
        moment
    )
    assert world.starter == before
    world.guard.look(moment)
    assert world.starter != before


class Between:
    """Lambda's client that once, before it reads the mapping, runs a concurrent action."""

    def __init__(self, functions: Any, deed: Any) -> None:
        self._functions, self._deed = functions, deed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._functions, name)

    def get_event_source_mapping(self, **given: Any) -> Any:
        deed, self._deed = self._deed, None
        if deed:
            deed()
        return self._functions.get_event_source_mapping(**given)


def test_of_two_looks_at_once_the_slower_begins_anew(world):
    """Of two concurrent runs, the slower one does not overwrite the state of the faster one."""
    world.ended("p-1", 0.5, NOW)

    def other() -> None:
        world.ended("p-2", 0.5, NOW)
        world.guard.look(NOW)

    state = world.new_guard(Between(world.functions, other)).look(NOW)
    assert (state.paused, state.spent.runs) == (True, 2)
    assert world.stored == msgspec.structs.replace(state, starter=world.stored.starter)


def test_who_is_always_overtaken_gives_up(world):
    """A run that is overtaken every time raises an error instead of looping forever."""

    class Always(Between):
        def get_event_source_mapping(self, **given: Any) -> Any:
            world.guard.look(NOW)
            return self._functions.get_event_source_mapping(**given)

    with pytest.raises(OvertakenError):
        world.new_guard(Always(world.functions, None)).look(NOW)
