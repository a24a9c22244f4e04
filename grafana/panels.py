"""Panels as these dashboards have them: a question, what answers it, and *no answer* where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import NamedTuple, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as words
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = words.DataSourceRef(type_val="prometheus", uid="${datasource}")
NO_ANSWER = "no answer"
GREEN, YELLOW, RED, GREY = "green", "yellow", "red", "#8e8e8e"
STANDINGS = {
    "2": ("bad", RED),
    "1": ("warning", YELLOW),
    "0": ("good", GREEN),
    "-1": (NO_ANSWER, GREY),
}
YES_NO = {"1": ("yes", GREEN), "0": ("no", RED)}

P = TypeVar("P", stat.Panel, timeseries.Panel, table.Panel, bargauge.Panel, statetimeline.Panel)
Steps = Sequence[tuple[float | None, str]]
"""Colours from a value on, the first from no value."""
Words = Mapping[str, tuple[str, str]]
"""What is shown in place of a value, and in which colour."""


class Query(NamedTuple):
    """What is asked of Prometheus; ``legend`` names its series, ``now``: only what holds now."""

    expr: str
    legend: str = ""
    now: bool = False
    exemplars: bool = False


def figure(
    question: str, how: str, unit: str, *queries: Query, steps: Steps = (), shown: Words | None = None
) -> stat.Panel:
    """Return a panel of one number each, as it is now: the last that there was would hide that there is none."""
    now = [query._replace(now=True) for query in queries]
    panel = _dressed(stat.Panel(), question, how, unit, now, steps, shown)
    panel.graph_mode(words.BigValueGraphMode.NONE).text_mode(words.BigValueTextMode.VALUE_AND_NAME)
    return panel.color_mode(words.BigValueColorMode.VALUE if steps or shown else words.BigValueColorMode.NONE)


def trend(question: str, how: str, unit: str, *queries: Query, stacked: bool = False) -> timeseries.Panel:
    """Return a panel of lines; those called target and warning are dashed."""
    panel = _dressed(timeseries.Panel(), question, how, unit, queries, (), None)
    panel.fill_opacity(20 if stacked else 0).line_width(2).show_points(words.VisibilityMode.AUTO)
    panel.legend(common.VizLegendOptions().display_mode(words.LegendDisplayMode.LIST).show_legend(True))
    if stacked:
        panel.stacking(common.StackingConfig().mode(words.StackingMode.NORMAL))
    for name, color in (("target", GREEN), ("warning", RED)):
        dashed = models.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [10, 10]})
        fixed = models.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})
        panel.override_by_name(name, [dashed, fixed])
    return panel


def bars(question: str, how: str, unit: str, *queries: Query, steps: Steps = ()) -> bargauge.Panel:
    """Return a panel of one bar each."""
    panel = _dressed(bargauge.Panel(), question, how, unit, queries, steps, None)
    panel.orientation(words.VizOrientation.HORIZONTAL).display_mode(words.BarGaugeDisplayMode.BASIC)
    return panel.name_placement(words.BarGaugeNamePlacement.LEFT)


def since(question: str, how: str, shown: Words, *queries: Query, nothing: str = NO_ANSWER) -> statetimeline.Panel:
    """Return a panel of states over time: since when it is so. ``nothing``: what no series at all means."""
    panel = _dressed(statetimeline.Panel(), question, how, "none", queries, (), shown, nothing=nothing)
    return panel.show_value(words.VisibilityMode.NEVER).merge_values(True).row_height(0.8)


class Column(NamedTuple):
    """A column of a table, of a query's value or of a label; ``label`` None: the value."""

    title: str
    unit: str = "none"
    shown: Words | None = None
    query: Query | None = None
    label: str | None = None


def rows(
    question: str, how: str, *columns: Column, sort: str, falling: bool = False, nothing: str = NO_ANSWER
) -> table.Panel:
    """Return a table: a row for each set of labels that all its queries share. ``nothing``: what none means."""
    asked = [column.query for column in columns if column.query is not None]
    panel = _dressed(table.Panel(), question, how, "none", asked, (), None, PromQueryFormat.TABLE, nothing)
    names = {_value(asked, column) if column.query else column.label or "": column for column in columns}
    order = {name: place for place, name in enumerate(names)}
    renamed = {name: column.title for name, column in names.items()}
    panel.with_transformation(models.DataTransformerConfig("merge", options={}))
    options = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": renamed}
    panel.with_transformation(models.DataTransformerConfig("organize", options=options))
    for column in columns:
        properties = [models.DynamicConfigValue("unit", column.unit)]
        if column.shown is not None:
            properties.append(models.DynamicConfigValue("mappings", _mappings(column.shown)))
            properties.append(models.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
        panel.override_by_name(column.title, properties)
    return panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(falling)])


def _value(asked: Sequence[Query], column: Column) -> str:
    place = next(n for n, query in enumerate(asked) if query is column.query)
    return f"Value #{_ref(place)}" if len(asked) > 1 else "Value"


def _ref(place: int) -> str:
    return chr(ord("A") + place)


def _dressed(
    panel: P,
    question: str,
    how: str,
    unit: str,
    queries: Sequence[Query],
    steps: Steps,
    shown: Words | None,
    form: PromQueryFormat = PromQueryFormat.TIME_SERIES,
    nothing: str = NO_ANSWER,
) -> P:
    panel.title(question).description(how).datasource(SOURCE).unit(unit).no_value(nothing)
    for place, query in enumerate(queries):
        asked = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(_ref(place)).format(form)
        asked.exemplar(True) if query.exemplars else asked
        panel.with_target(asked.instant() if query.now else asked.range())
    marks = [models.Threshold(value, color) for value, color in steps] or [models.Threshold(None, GREEN)]
    panel.thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(marks))
    if steps:
        panel.color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
    if shown is not None:
        panel.mappings(_mappings(shown))
    return panel


def _mappings(shown: Words) -> list[models.ValueMapping]:
    options = {
        value: models.ValueMappingResult(text=text, color=color, index=place)
        for place, (value, (text, color)) in enumerate(shown.items())
    }
    return [models.ValueMap(options=options)]


class Placed(NamedTuple):
    """A panel and how much room it takes, of 24 columns."""

    panel: stat.Panel | timeseries.Panel | table.Panel | bargauge.Panel | statetimeline.Panel
    width: int
    height: int


class Section(NamedTuple):
    """Panels under one title."""

    title: str
    panels: Sequence[Placed]


def board(
    uid: str,
    title: str,
    description: str,
    sections: Sequence[Section],
    variables: Sequence[dashboard.QueryVariable] = (),
    *,
    span: str = "now-24h",
) -> dashboard.Dashboard:
    """Return a dashboard; panels are laid out from left to right."""
    made = dashboard.Dashboard(title).uid(uid).description(description).tags(["throughline"]).readonly()
    made.time(span, "now").refresh("1m").timezone("browser").tooltip(models.DashboardCursorSync.CROSSHAIR)
    made.with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    for variable in variables:
        made.with_variable(variable)
    made.link(_to_the_others())
    number = count(1)
    for section in sections:
        made.with_row(dashboard.Row(section.title).id(next(number)))
        for placed in section.panels:
            made.with_panel(placed.panel.id(next(number)).span(placed.width).height(placed.height))
    return made


def _to_the_others() -> dashboard.DashboardLink:
    link = dashboard.DashboardLink("Throughline").type(models.DashboardLinkType.DASHBOARDS).tags(["throughline"])
    return link.as_dropdown(False).keep_time(True).include_vars(True)


def choice(name: str, label: str, query: str, everything: str, *, several: bool = False) -> dashboard.QueryVariable:
    """Return a variable that Prometheus' label values fill; ``everything``: the pattern that stands for all."""
    found = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(query)
    found.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC)
    every = models.VariableOption(selected=True, text="All", value="$__all")
    return found.include_all(True).all_value(everything).multi(several).current(every)
