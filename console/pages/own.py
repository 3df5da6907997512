"""What changes the console itself: its theme and clock, its lock, and a new link to it."""

from http import HTTPStatus

from starlette.responses import Response

from console.pages.many import KIND
from console.pages.subjects import PLANS
from console.security.gate import OPEN, local_path
from console.views import CLOCK, THEME, Ask, as_json

YEAR_SECONDS = 31_536_000


def preferences(ask: Ask) -> Response:
    """Keep a choice of theme or clock in a cookie, and return to the page."""
    answer = ask.redirect(local_path(ask.form.get("to", "/")))
    if (theme := ask.form.get("theme")) in ("auto", "light", "dark"):
        _keep(answer, THEME, str(theme))
    if (clock := ask.form.get("clock")) in ("utc", "local"):
        _keep(answer, CLOCK, str(clock))
    return answer


def lock(ask: Ask) -> Response:
    """Lock the environment, or unlock it for whoever types its name."""
    lock = ask.desk.lock
    if "close" in ask.form:
        lock.close()
    elif not lock.unlock(ask.form.get("name", "")):
        name = ask.desk.environment.env
        return ask.problem(
            HTTPStatus.FORBIDDEN,
            "Still locked",
            f"Type the environment's name, {name}, to unlock it for 15 minutes.",
        )
    return ask.redirect(local_path(ask.form.get("to", "/")))


def link(ask: Ask) -> Response:
    """Return a new one-time link to a program that has the console's secret; no page may ask for one."""
    if not ask.from_program:
        return ask.problem(HTTPStatus.FORBIDDEN, "Refused", "Run `pipeline console`: it prints a new link.")
    return as_json({"path": f"{OPEN}?t={ask.desk.access.new_link()}"})


def stop(ask: Ask) -> Response:
    """Stop this console for a program that has its secret."""
    if not ask.from_program:
        return ask.problem(HTTPStatus.FORBIDDEN, "Refused", "Stop it in a terminal: pipeline console --stop")
    running = (
        ("plan", ask.desk.jobs.running(PLANS)),
        ("batch", ask.desk.batches.running(KIND)),
    )
    ask.desk.stop()
    return as_json({"stopping": True, "cut": [f"{what} {number}" for what, number in running if number]})


def _keep(answer: Response, name: str, value: str) -> None:
    answer.set_cookie(name, value, max_age=YEAR_SECONDS, path="/", samesite="strict", httponly=True)
