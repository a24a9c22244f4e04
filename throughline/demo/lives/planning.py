"""What is planned and what became of it: the pipeline, forecasts, actuals and the close of each entity's books."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import cycle, islice
from random import Random

from throughline.demo.chronicle import Chronicle, Life, money
from throughline.demo.faults import Fault
from throughline.demo.firm import ENTITIES, Entity, Size
from throughline.demo.lives.back_office import life_of, worth
from throughline.demo.lives.routes import Befalls, Piece, Route, Stop, send_all

PIPELINE = Route(
    "pipeline-to-forecast",
    (
        Stop("opportunity.committed", "crm", ("opportunity", "close_date", "amount", "currency")),
        Stop("demand.forecasted", "scheduling", ("opportunity",)),
        Stop("forecast.updated", "fpna", ("opportunity",)),
    ),
    {
        Fault.LOST: Befalls(1),
        Fault.BELATED: Befalls(1),
        Fault.RESENT: Befalls(1),
        Fault.BEGUN_AGAIN: Befalls(2, changes={"close_date": "2027-03-31"}),
    },
)
MEASURED = ("measure", "period", "amount", "currency")
FORECASTS = Route(
    "forecast-cycle",
    (
        Stop("forecast.revised", "scheduling", ("forecast_revision", *MEASURED)),
        Stop("forecast.received", "fpna", ("forecast_revision", "report"), ("report",)),
        Stop("scenario.returned", "scheduling", ("forecast_revision",), workdays=1),
        Stop("report.refreshed", "bi", ("report", *MEASURED)),
    ),
    {
        Fault.LOST: Befalls(2),
        Fault.BELATED: Befalls(2, late=4),
        Fault.RESENT: Befalls(3),
        Fault.SENT_BACK: Befalls(1, "forecast.rejected"),
        Fault.CANCELLED: Befalls(2, "forecast.cancelled"),
    },
)
ACTUALS = Route(
    "actuals-to-plan",
    (
        Stop("actuals.posted", "erp", ("ledger_batch", "control_total", *MEASURED)),
        Stop("actuals.loaded", "fpna", ("ledger_batch", "load", "report", "control_total"), ("load", "report")),
        Stop("report.refreshed", "bi", ("report", *MEASURED), says={"amount": "shown"}),
    ),
    {
        Fault.LOST: Befalls(2),
        Fault.BELATED: Befalls(2),
        Fault.RESENT: Befalls(2),
        Fault.RULE_BROKEN: Befalls(1, changes={"control_total": "1.00"}, flags="loaded"),
        Fault.SENT_BACK: Befalls(1, "actuals.rejected"),
        Fault.CANCELLED: Befalls(2, "actuals.cancelled"),
    },
)
_CLOSE_STOPS = (
    Stop("period.ended", "erp", ("entity_period",)),
    Stop("costs.complete", "erp", ("entity_period",), workdays=2, person=True),
    Stop("revenue.posted", "erp", ("entity_period",), workdays=3),
    Stop("period.closed", "erp", ("entity_period",), workdays=4, person=True),
)
CLOSES = Route(
    "period-close", _CLOSE_STOPS, {Fault.LOST: Befalls(2), Fault.BELATED: Befalls(1, late=4), Fault.RESENT: Befalls(2)}
)
EARLY_FORECASTS = Route("forecast-cycle", FORECASTS.stops, {})
LATE_ACTUALS = Route("actuals-to-plan", ACTUALS.stops, {})
QUIET_CLOSES = Route("period-close", _CLOSE_STOPS, {})
A_MONTH_LATER = 4  # weeks after the first day, when the month in which the play begins has ended


def tell_planning(chronicle: Chronicle, rng: Random, begins: date, size: Size) -> None:
    """Tell a number of pieces of each kind, and the close of the months that end."""
    entities = list(islice(cycle(ENTITIES), size.routed))
    for route, pieces in (
        (PIPELINE, pipeline(rng, begins, entities)),
        (FORECASTS, forecasts(rng, begins, entities)),
        (ACTUALS, actuals(rng, begins, entities)),
    ):
        send_all(chronicle, rng, route, pieces, begins, size.weeks)
    month_before = begins.replace(day=1) - timedelta(days=1)
    send_all(chronicle, rng, CLOSES, closes(month_before), begins, 1, days=(0,))
    if size.weeks > A_MONTH_LATER:
        later = begins + timedelta(weeks=A_MONTH_LATER)
        send_all(chronicle, rng, QUIET_CLOSES, closes(begins), later, 1, days=(0,))
        tell_a_months_forecast(chronicle, rng, begins, later)


def tell_a_months_forecast(chronicle: Chronicle, rng: Random, begins: date, later: date) -> None:
    """Tell what is forecast for the first month as it begins, forecast anew in its middle, and posted after its end."""
    foreseen = {entity: worth(rng, entity, 300, 900) for entity in ENTITIES}
    for prefix, start in (("FE", begins), ("FL", begins + timedelta(weeks=2))):
        pieces = [of_month(EARLY_FORECASTS, prefix, n, begins, *each) for n, each in enumerate(foreseen.items())]
        send_all(chronicle, rng, EARLY_FORECASTS, pieces, start, 1, days=(0,))
        foreseen = {entity: apart(rng, amount) for entity, amount in foreseen.items()}
    posted = [of_month(LATE_ACTUALS, "LM", n, begins, *each) for n, each in enumerate(foreseen.items())]
    send_all(chronicle, rng, LATE_ACTUALS, posted, later, 1, days=(3,))


def apart(rng: Random, amount: Decimal) -> Decimal:
    """Draw an amount that is up to a fifth away from another."""
    return (amount * rng.randint(80, 120) / 100).quantize(Decimal("0.01"))


def of_month(route: Route, prefix: str, number: int, month: date, entity: Entity, amount: Decimal) -> Piece:
    """Return a revenue forecast for a month, or what was posted of it."""
    name = f"{prefix}-{number}"
    worth_of = money(amount)
    knows = {
        "forecast_revision": name,
        "ledger_batch": name,
        "load": f"LOAD-{name}",
        "report": f"RPT-{name}",
        "control_total": worth_of,
        "shown": worth_of,
        "measure": MEASURES[0],
        "period": month.strftime("%Y-%m"),
        "amount": worth_of,
        "currency": entity.currency,
    }
    return Piece(life_of(route, name, entity, amount), knows)


def committed(name: str, entity: Entity, amount: Decimal, close_date: date) -> Piece:
    """Return the piece of a deal that sales commits to."""
    knows = {
        "opportunity": name,
        "close_date": close_date.isoformat(),
        "amount": money(amount),
        "currency": entity.currency,
    }
    return Piece(life_of(PIPELINE, name, entity, amount), knows)


def pipeline(rng: Random, begins: date, entities: list[Entity]) -> Iterator[Piece]:
    for entity in entities:
        name = "006Px" + "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=10))
        yield committed(name, entity, worth(rng, entity, 100, 500), begins + timedelta(weeks=rng.randint(8, 14)))


MEASURES = ("revenue", "margin", "backlog", "bookings")


def measured(number: int, begins: date, entity: Entity, amount: Decimal) -> dict[str, str]:
    month = (begins - timedelta(days=begins.day)).strftime("%Y-%m")
    return {
        "measure": MEASURES[number // len(ENTITIES) % len(MEASURES)],
        "period": month,
        "amount": money(amount),
        "currency": entity.currency,
    }


def forecasts(rng: Random, begins: date, entities: list[Entity]) -> Iterator[Piece]:
    for number, entity in enumerate(entities):
        name, amount = f"FR-{5900 + number}", worth(rng, entity, 300, 900)
        knows = {"forecast_revision": name, "report": f"RPT-F{number}"} | measured(number, begins, entity, amount)
        yield Piece(life_of(FORECASTS, name, entity, amount), knows)


def actuals(rng: Random, begins: date, entities: list[Entity]) -> Iterator[Piece]:
    for number, entity in enumerate(entities):
        name, amount = f"LB-{6100 + number}", worth(rng, entity, 300, 900)
        knows = {
            "ledger_batch": name,
            "load": f"LOAD-{number}",
            "report": f"RPT-A{number}",
            "control_total": money(amount),
            "shown": money(amount if number % WRONGLY_SHOWN else amount - 1000),
        }
        yield Piece(life_of(ACTUALS, name, entity, amount), knows | measured(number, begins, entity, amount))


WRONGLY_SHOWN = 5  # one report in so many shows another figure than was posted


def closes(month: date) -> Iterator[Piece]:
    for entity in ENTITIES:
        name = month.strftime("%Y-%m")
        life = Life(CLOSES.process, name, entity.region, entity.code, None, entity.currency)
        life.scope = {"legal_entity": entity.code}
        yield Piece(life, {"entity_period": name})
