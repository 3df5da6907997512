"""Costs: today's budget, and a report over the runs, which is read on request."""

import re
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from console.models.costs import BudgetView, GroupedBy, budget_view, costliest, spreadsheet
from console.pages.reading import live_address, shown, state_of
from console.pages.subjects import AGES
from console.routes import link
from console.views import Ask, plain
from operations.errors import InvalidInputError, NotDeployedError, OperationError
from operations.money.budget import TABLE, Budget, hold, read_budget, resume
from shared.budget import NANOS

DEFAULT = "7d"
MOST_USD = 1_000_000
_USD = re.compile(r"\d{1,7}(\.\d{1,9})?")


def page(ask: Ask) -> Response:
    since = _since(ask)
    name = f"costs-{since}"
    state = state_of(ask, name)
    budget, trouble = _budget(ask)
    refusal = ask.desk.lock.refusal()
    return ask.page(
        "costs.html",
        title="Costs",
        command=("cost", *(() if since == "ever" else ("--since", since))),
        json={"budget": budget, "report": state.value, "read_at": state.read_at, "phase": state.phase},
        live=live_address(name, state),
        since=since,
        ages=[(one, link("costs", since=one)) for one in AGES],
        budget=_drawn(ask, budget),
        trouble=trouble,
        locked=refusal.text if refusal else "",
        budget_command=ask.desk.command("budget"),
        **shown(name, state),
    )


def sheet(ask: Ask) -> Response:
    """Return the report that was read last as a spreadsheet."""
    since = _since(ask)
    report = state_of(ask, f"costs-{since}").value
    if report is None:
        text = "The costs were not read yet. The page of costs has the button."
        return ask.problem(HTTPStatus.NOT_FOUND, "Not read yet", text)
    return plain(spreadsheet(report.rows), f"costs-{ask.desk.environment.env}-{since}.csv")


def runs(ask: Ask) -> Response:
    """List the costliest runs of a day or model, by the report that was read last."""
    since, name = _since(ask), ask.query.get("name", "")
    by: GroupedBy = "model" if ask.query.get("by") == "model" else "day"
    report = state_of(ask, f"costs-{since}").value
    found = costliest(report, by, name) if report else None
    if found is None:
        text = (
            f"The costs that were read last have no {by} of this name. Read them again on the page of costs."
        )
        return ask.problem(HTTPStatus.NOT_FOUND, "Not found", text)
    rows, number = found
    return ask.page(
        "costs_runs.html",
        title=f"Costliest runs of {by} {name}",
        command=("cost", "--json", *(() if since == "ever" else ("--since", since))),
        json=rows,
        current="costs",
        rows=rows,
        number=number,
        back=link("costs", since=since),
    )


def order(ask: Ask) -> Response:
    """Give the budget's guard an order: pause, resume, more money for today, or no limit today."""
    match ask.form.get("order"):
        case "pause":
            hold(ask.target)
        case "resume":
            resume(ask.target)
        case "lift":
            resume(ask.target, for_today=True)
        case "add":
            resume(ask.target, add_nano_usd=_nanos(ask.form.get("usd", "")))
        case _:
            raise InvalidInputError("There is no such order. Use the buttons of the page of costs.")
    return ask.redirect(link("costs"))


def _since(ask: Ask) -> str:
    since = ask.query.get("since", DEFAULT)
    return since if since in AGES else DEFAULT


def _budget(ask: Ask) -> tuple[Budget | None, str]:
    """Return today's budget, or why there is none: the rest of the page stays."""
    try:
        ask.has(TABLE)
        return read_budget(ask.target), ""
    except NotDeployedError as error:
        ask.target.addresses  # noqa: B018 -- without a deployment the page says so
        return None, str(error)
    except OperationError as error:
        return None, str(error)


def _drawn(ask: Ask, budget: Budget | None) -> BudgetView | None:
    return None if budget is None else budget_view(budget, ask.desk.environment.env)


def _nanos(text: str) -> Any:
    if not _USD.fullmatch(text.strip()) or not 0 < float(text) <= MOST_USD:
        raise InvalidInputError("Give an amount in dollars, e.g. 2.50, above 0 and at most 1,000,000.")
    return round(float(text) * NANOS)
