"""`pipeline cost`: sums that agree with the records, and what they leave out."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from cli.tests.costly_runs import EARLIER, early, priced, stored, write
from cli.tests.support import call
from operations.money import read_costs
from operations.money.costs import cost_of, summarise
from operations.money.read_costs import read_report
from operations.money.run_ledger import read_ledger
from operations.tests.world import TABLE, client, finish
from operations.wording import usd
from shared.contracts.v1 import Usage
from shared.contracts.wasted import paid_for
from shared.costs.prices import AS_INPUT
from shared.costs.tests.support import CHAT, METER, record


def lost() -> int:
    """Return what was lost by the records: all of what failed, else the waste; and earlier executions."""
    items = client("dynamodb").scan(TableName=TABLE)["Items"]
    names = {"FAILED": "nano_usd", "SUCCEEDED": "waste_nano_usd"}
    costs_ = [(item["cost"]["M"], item["status"]["S"]) for item in items if "cost" in item]
    return EARLIER + sum(int(cost[names[status]]["N"]) for cost, status in costs_)


def test_report_agrees_with_the_records(target, some_runs, monkeypatch):
    """Over several pages, the total and every breakdown equal the sum of the records, earlier executions included."""
    monkeypatch.setattr(read_costs, "PAGE", 3)
    pages: list[tuple[int, int]] = []
    report = read_report(target, limit=100, on_page=lambda read, about: pages.append((read, about)))
    assert len(pages) >= 3
    assert report.all.nano_usd == stored() + EARLIER
    assert report.all.waste_nano_usd == lost() > stored("waste_nano_usd") + EARLIER
    for parts in (report.days, report.models, report.stages, report.services, report.rows):
        assert sum(part.nano_usd for part in parts) == report.all.nano_usd
    assert (report.read, report.complete, report.not_over, report.not_metered) == (9, True, 1, 0)
    assert (report.all.runs, report.all.failed, report.earlier_nano_usd) == (8, 1, EARLIER)
    assert [day.name for day in report.days] == ["2026-11-22", "2026-11-23"]


def test_projection_is_the_average_times_a_million(target, some_runs):
    """The cost of a million runs is the average cost times a million."""
    report = read_report(target, limit=100)
    assert report.all.per_million_usd == pytest.approx((stored() + EARLIER) / 8 * 1_000_000 / 1_000_000_000)


def test_tokens_of_a_cache_have_their_columns(local_engine, target, records):
    """`cost` counts the tokens of a model's cache beside the others, and shows their columns where there are any."""
    assert "cache" not in call("cost").stdout
    write(records, "plain", priced())
    assert "cache" not in call("cost").stdout
    cached = {**CHAT, "cache_read_tokens": 1_000, "cache_write_tokens": 50}
    write(records, "cached", priced(stages={"chat": cached}))
    report = read_report(target, limit=100)
    assert (report.all.input_tokens, report.all.cache_read_tokens, report.all.cache_write_tokens) == (
        4_000,
        1_000,
        50,
    )
    shown = call("cost").stdout
    assert "from cache" in shown
    assert "1,000" in shown
    assert f"cache-write tokens of {CHAT['model_id']} {AS_INPUT}" in " ".join(call("cost").output.split())


def test_an_unusable_answer_is_in_the_sum_as_waste(target, records):
    """What an answer cost that failed its run is part of the report's sums, and of its waste."""
    cause = f"No text.{paid_for(str(CHAT['model_id']), Usage(input_tokens=2_000, output_tokens=300))}"
    write(records, "failed", priced(status="FAILED"))
    before = read_report(target, limit=100).all
    write(records, "wasted", priced(status="FAILED", cause=cause))
    after = read_report(target, limit=100).all
    assert after.nano_usd - 2 * before.nano_usd == after.waste_nano_usd - 2 * before.waste_nano_usd == 192_000


def test_unknown_price_is_named_with_its_tokens(target, some_runs):
    """Tokens of an unlisted model are in no sum, but in the list of unknown prices."""
    (missing,) = read_report(target, limit=100).unknown
    assert (missing.price, missing.runs) == ("tokens of a-new-model in us-east-1", 1)
    assert (missing.input_tokens, missing.output_tokens) == (2_000, 300)


def test_since_leaves_out_what_ended_before(target, some_runs):
    """--since leaves out runs that ended before."""
    since = datetime(2026, 11, 23, tzinfo=UTC)
    report = read_report(target, since=since, limit=100)
    assert ([day.name for day in report.days], report.all.runs) == (["2026-11-23"], 7)
    assert read_report(target, since=datetime(2026, 12, 1, tzinfo=UTC), limit=100).all.runs == 0


def test_reading_is_bounded_and_says_so(target, some_runs):
    """Reading stops at the limit, and the report is marked as incomplete."""
    report = read_report(target, limit=4)
    assert (report.read, report.complete) == (4, False)
    assert report.all.runs + report.not_over == 4


def test_a_record_without_its_cost_is_counted_now(target, records):
    """A record that the workflow stored has meters but no cost; the cost is calculated when it is read."""
    meters = json.dumps([METER, CHAT, METER])
    errors = json.dumps({"log": {"Error": "Pipeline.Permanent", "Cause": "denied"}})
    bare = {
        name: record()[name] for name in ("execution_arn", "finished_at", "user_message", "final_response")
    }
    finish(records, "by-workflow", stages=None, **bare, meters_json=meters, errors_json=errors)
    finish(records, "before-metering", stages={}, execution_arn="arn:aws:states:us-east-1:1:execution:m:p")
    report = read_report(target, limit=100)
    assert (report.all.runs, report.not_recorded, report.not_metered) == (1, 1, 1)
    assert report.all.nano_usd == read_ledger(target, "by-workflow").ledger.total


def test_a_report_of_nothing_is_empty():
    """A report without runs has no projection and does not divide by zero."""
    report = summarise([])
    assert (report.all.runs, report.all.per_million_usd, report.days) == (0, None, [])


def test_runs_without_any_price_have_no_amount():
    """A run in a region without prices is counted as a run, but not in the average, and not as free."""
    nowhere = cost_of(priced(execution_arn="arn:aws:states:eu-west-9:0:execution:m:p"))
    here = cost_of(priced())
    assert nowhere is not None
    assert here is not None
    report = summarise([nowhere, here])
    assert (report.all.runs, report.all.priced, report.all.nano_usd) == (2, 1, here.total)
    assert summarise([nowhere]).all.per_million_usd is None


def test_command_names_what_it_leaves_out(local_engine, some_runs):
    """The report names, in 80 columns, a lower bound, unknown prices and unmetered and unfinished runs."""
    result = call("cost")
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert result.stdout.startswith(f"8 runs, 1 failed: at least {usd(stored() + EARLIER)}")
    assert f"{usd(EARLIER)} on earlier executions of restarted runs" in result.stdout.replace("\n", " ")
    for word in ("2026-11-22", "amazon.nova-lite-v1:0", "a-new-model", "enhancement", "Step Functions"):
        assert word in result.stdout
    assert "Price unknown: tokens of a-new-model in us-east-1 (2,000 in, 300 out), in 1 run." in result.stderr
    assert "Not included, because not finished yet: 1 run." in result.stderr
    assert "Only partly metered: 3 runs" in result.stderr


def test_command_prints_json(local_engine, some_runs):
    """--json prints whole nano-dollars and everything that the text contains."""
    answer = json.loads(call("cost", "--json").stdout)
    assert answer["all"]["nano_usd"] == stored() + EARLIER
    names = {"start", "analysis", "chat", "enhancement", "log", "(earlier executions)"}
    assert {part["name"] for part in answer["stages"]} >= names
    assert answer["unknown"][0]["price"] == "tokens of a-new-model in us-east-1"


def test_command_prints_csv(local_engine, some_runs):
    """--csv prints a line for each day, model, outcome and stage, which add up to the total."""
    rows = list(csv.DictReader(io.StringIO(call("cost", "--csv").stdout)))
    assert sum(int(row["nano_usd"]) for row in rows) == stored() + EARLIER
    assert {row["status"] for row in rows} == {"SUCCEEDED", "FAILED"}
    assert len({tuple(row[name] for name in ("day", "model", "status", "stage")) for row in rows}) == len(
        rows
    )


def test_command_says_when_it_stopped(local_engine, some_runs):
    """A report of a part of the table says so."""
    assert "Stopped after 4 records" in call("cost", "--limit", "4").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--json", "--csv"), "Give either --json or --csv, not both."),
        (("--since", "yesterday"), "neither an age like 2h or 7d nor a day like 2026-11-01"),
        (("--limit", "0"), "0 is not in the range"),
    ],
)
def test_wrong_usage_is_told(local_engine, arguments, said):
    """Wrong usage gives exit code 2 and a sentence."""
    result = call("cost", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_nothing_to_count_is_no_error(local_engine):
    """An empty table gives exit code 0 and a sentence."""
    result = call("cost", "--since", "7d")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "There is no finished run with meters" in result.stderr


def test_failed_runs_have_no_model():
    """A run without an answer is counted under `(no answer)` instead of a model."""
    ledger = cost_of(priced(status="FAILED"))
    assert ledger is not None
    assert (ledger.model, ledger.input_tokens, ledger.status) == ("(no answer)", 0, "FAILED")


def test_runs_that_a_stage_answered_have_no_model_either():
    """A run that ended early without a model is counted as such; one that ended after its model under the model."""
    ledger = cost_of(early())
    assert ledger is not None
    assert (ledger.model, ledger.output_tokens) == ("(ended early)", 0)
    later = cost_of(priced(ended_by="enhancement"))
    assert later is not None
    assert later.model == CHAT["model_id"]


FALLBACK = "amazon.nova-pro-v1:0"
REASON = "Converse answered ThrottlingException (HTTP 429)"
FAILED_OVER = {
    "stages": {"chat": {**CHAT, "model_id": FALLBACK}},
    "chat": {"model_id": FALLBACK, "instead_of": [{"model_id": CHAT["model_id"], "reason": REASON}]},
}


def test_what_the_second_model_cost_is_told(local_engine, records):
    """Runs that another model answered are counted under it, and the report says how many they are and their cost."""
    write(records, "first", priced())
    write(records, "second-1", priced(**FAILED_OVER))
    write(records, "second-2", priced(**FAILED_OVER))
    write(records, "damaged", priced(chat={"model_id": "m", "instead_of": [5]}))
    write(records, "failed", {**priced(status="FAILED"), "chat": FAILED_OVER["chat"]})
    report = json.loads(call("cost", "--json").stdout)
    cost = priced(**FAILED_OVER)["cost"]["nano_usd"]
    assert (report["all"]["failed_over"], report["all"]["failed_over_nano_usd"]) == (2, 2 * cost)
    by_model = {model["name"]: model for model in report["models"]}
    assert (by_model[FALLBACK]["runs"], by_model[FALLBACK]["nano_usd"]) == (2, 2 * cost)
    assert by_model[CHAT["model_id"]]["failed_over"] == 0
    told = (
        f"including {usd(2 * cost)} for 2 runs that {FALLBACK} answered in the place of an unavailable model"
    )
    assert told in " ".join(call("cost").stdout.split())


def test_show_says_which_model_answered_and_why(local_engine, records):
    """`pipeline show` names the model that did not answer, with the reason, and the one that answered."""
    write(records, "second", priced(**FAILED_OVER))
    shown = call("show", "second").stdout
    assert f"chat: {CHAT['model_id']} did not answer: {REASON}" in " ".join(shown.split())
    assert f"answered in its place: {FALLBACK}" in shown
    assert json.loads(call("show", "second", "--json").stdout)["chat"] == FAILED_OVER["chat"]


def test_what_was_lost_is_counted_once(local_engine, records):
    """A run that failed is lost whole, with its own waste in it; an earlier execution too; the line names each."""
    write(records, "failed", {**priced(status="FAILED"), "earlier_nano_usd": 1_000})
    write(records, "answered", {**priced(), "earlier_nano_usd": 500})
    failed_, answered = (priced(status=status)["cost"]["nano_usd"] for status in ("FAILED", "SUCCEEDED"))
    report = json.loads(call("cost", "--json").stdout)
    total, wasted = failed_ + answered + 1_500, failed_ + 1_500
    assert (report["all"]["nano_usd"], report["all"]["waste_nano_usd"]) == (total, wasted)
    assert [one["nano_usd"] for one in report["all"]["costliest"]] == [answered + 500, failed_ + 1_000]
    text = call("cost").stdout
    for part in (
        f"including {usd(wasted)} ({wasted / total:.0%}) wasted\n",
        f"of that, {usd(failed_)} on runs that failed",
        "of that, $0.0000015 on earlier executions of restarted runs",
        "total",
    ):
        assert part in text
    shown = call("show", "failed").stdout
    assert (usd(failed_ + 1_000) in shown, "100% wasted" in shown) == (True, True)
    ledger_ = call("show", "--cost", "failed").stdout
    assert ("100% wasted" in ledger_, f"includes {usd(1_000)} for earlier" in ledger_) == (True, True)


def test_a_stand_in_is_never_taken_for_the_model(local_engine, target, records):
    """Where something answers in the place of the models, each cost says what AWS would charge, and who answered."""
    model = CHAT["model_id"]
    write(records, "p", priced(chat={"model_id": model, "backend": "bedrock"}))
    target.stand_in = "canned answer"
    shown = " ".join(call("show", "p").stdout.split())
    for part in (
        f"canned answer in the place of {model}",
        "cost canned answer; on AWS this would cost",
    ):
        assert part in shown
    assert "canned answer; on AWS this would cost" in call("show", "--cost", "p").stdout
    result = call("cost")
    assert ("1 run: on AWS this would cost" in result.stdout, "canned answer" in result.stderr) == (
        True,
        True,
    )
    write(records, "early", early())
    for arguments in (("show", "early"), ("show", "--cost", "early")):
        told = " ".join(call(*arguments).stdout.split())
        assert ("canned" in told, "on AWS this would cost" in told) == (False, True)
    target.stand_in = None
    assert "on AWS this would" not in call("show", "p").stdout + call("cost").stdout


def test_what_costs_were_counted_with_is_named(local_engine, records, target):
    """The report and the ledger name the price list, the region it stands in for, and a stated price."""
    arn = "arn:aws:states:eu-central-1:000000000000:execution:machine:p"
    stated = {"prices_of": "eu-west-1", "tokens": {CHAT["model_id"]: ["0.5", "1.5"]}}
    write(records, "abroad", priced(execution_arn=arn, metered={**record()["metered"], "stated": stated}))
    counted_with = (
        "eu-west-1 2026-09-01; used for eu-central-1; stated price of tokens of amazon.nova-lite-v1:0"
    )
    write(records, "at-home", priced())
    assert read_report(target, limit=100).stated == [counted_with]
    assert json.loads(call("cost", "--json").stdout)["stated"] == [counted_with]
    assert f"Counted with the prices of {counted_with}." in call("cost").stderr
    shown = call("show", "--cost", "abroad").stdout
    assert "Prices of eu-west-1 since 2026-09-01, used for eu-central-1" in shown
    assert "stated by an option of the environment" in shown
