"""The estate: what a firm declares of its systems, flows, sources, regions and cut-offs in ``estate.yaml``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from throughline.core.business_time import BusinessTime, holiday_fault, plain_calendar, region_calendar
from throughline.core.errors import ConfigurationError, Fault
from throughline.core.estate_file import (
    CutoffRule,
    EstateFile,
    Firm,
    Flow,
    Instance,
    LegalEntity,
    Mode,
    Rate,
    Region,
    Role,
    Source,
    Team,
)
from throughline.core.faults import Location
from throughline.core.forms import Examined, examine, nearest
from throughline.core.yaml_file import YamlDocument, further, read_yaml

ESTATE_FILE = "estate.yaml"


@dataclass(frozen=True)
class ReportingSource:
    """A declared source as steps see it; ``legal_entities`` empty: all of them. ``every`` in microseconds."""

    source: str
    role: Role
    legal_entities: frozenset[str]
    mode: Mode
    every: int | None


@dataclass(frozen=True)
class Estate:
    """What a firm declares. Without a file nothing is declared, and business time is that of ``plain_calendar``."""

    declared: EstateFile
    fingerprint: str

    @property
    def firm(self) -> Firm:
        return self.declared.firm

    @property
    def regions(self) -> Mapping[str, Region]:
        return self.declared.regions

    @property
    def legal_entities(self) -> Mapping[str, LegalEntity]:
        return self.declared.legal_entities

    @property
    def instances(self) -> Mapping[str, Instance]:
        return self.declared.instances

    @property
    def flows(self) -> Mapping[str, Flow]:
        return self.declared.flows

    @property
    def teams(self) -> Mapping[str, Team]:
        return self.declared.teams

    @property
    def rates(self) -> tuple[Rate, ...]:
        return self.declared.rates

    @cached_property
    def sources(self) -> tuple[ReportingSource, ...]:
        """Return the declared sources, each with the role and the legal entities that its instance gives it."""
        return tuple(_reporting(source, self.instances) for source in self.declared.sources)

    @cached_property
    def calendars(self) -> BusinessTime:
        """Return the business time of the firm; its tables are built as they are asked for, and kept."""
        regions = {name: region_calendar(region) for name, region in self.regions.items()}
        default = self.firm.default_region or next(iter(regions), None)
        return BusinessTime(
            regions,
            regions[default] if default else plain_calendar(),
            {name: entity.region for name, entity in self.legal_entities.items() if entity.region},
            self.declared.cutoffs,
        )


def load_estate(folder: Path | None) -> Estate:
    """Read ``estate.yaml`` of a definitions folder; without one, or without a folder, nothing is declared.

    Raises ConfigurationError with every fault.
    """
    if folder is None or not (folder / ESTATE_FILE).exists():
        return Estate(EstateFile(), _fingerprint(None))
    return _estate(*read_yaml(folder / ESTATE_FILE))


def read_estate(document: YamlDocument) -> Estate:
    """Read an estate from a document; raises ConfigurationError with every fault."""
    return _estate(document, [])


def _estate(document: YamlDocument | None, faults: list[Fault]) -> Estate:
    """Return the estate of what could be read of a file; raises ConfigurationError with its faults and all further."""
    examined = None if document is None else _examine(document)
    if examined is not None:
        faults = [*faults, *further([*examined.faults, *_cross_faults(examined)], faults)]
    if faults or examined is None or examined.form is None:
        raise ConfigurationError(sorted(faults, key=lambda fault: (fault.line or 0, fault.column or 0)))
    return Estate(examined.form, _fingerprint(examined.document.content))


def _examine(document: YamlDocument) -> Examined[EstateFile]:
    return examine(document if document.content is not None else YamlDocument(document.file, {}, {}, {}), EstateFile)


def _fingerprint(content: object) -> str:
    """Return a digest of all that states derived from an estate depend on, the tables of holidays included."""
    text = json.dumps([content, version("holidays")], sort_keys=True)
    return sha256(text.encode()).hexdigest()


def _reporting(source: Source, instances: Mapping[str, Instance]) -> ReportingSource:
    instance = instances.get(source.instance) if source.instance else None
    role = source.role or (instance.role if instance else None)
    assert role is not None  # a source without either is a fault of the file
    entities = source.legal_entities or (instance.legal_entities if instance else ())
    return ReportingSource(source.source, role, frozenset(entities), source.mode, source.every)


def _cross_faults(examined: Examined[EstateFile]) -> Iterator[Fault]:
    """Yield what is wrong between parts of the file that are each well-formed."""
    if examined.form is None:
        return
    estate, document = examined.form, examined.document
    for location, name, known in _references(estate, document):
        if name not in known:
            yield examined.fault(location, repr(name), nearest(name, known))
    if len(estate.regions) > 1 and examined.lacks(("firm", "default_region")):
        yield examined.fault(("firm",), "several regions", "default_region, for records without a known one")
    for name, region in estate.regions.items():
        wanted = holiday_fault(region.country, region.subdivision)
        if wanted is not None:
            seen = " ".join(part for part in (region.country, region.subdivision) if part)
            yield examined.fault(("regions", name, "country"), seen, wanted)
    yield from _source_faults(examined)


def _source_faults(examined: Examined[EstateFile]) -> Iterator[Fault]:
    assert examined.form is not None
    seen = set[str]()
    for n, source in enumerate(examined.form.sources):
        if source.source in seen:
            yield examined.fault(("sources", n, "source"), f"{source.source!r} again", "each source once")
        seen.add(source.source)
        if examined.lacks(("sources", n, "instance")) and examined.lacks(("sources", n, "role")):
            yield examined.fault(("sources", n), "neither instance nor role", "one of them, or both")
        if source.mode is Mode.POLL and examined.lacks(("sources", n, "every")):
            yield examined.fault(("sources", n), "a polled source without its cadence", "every, such as 15 min")


Reference = tuple[Location, str, frozenset[str]]


def _references(estate: EstateFile, document: YamlDocument) -> Iterator[Reference]:
    """Yield each name that must be declared elsewhere in the file, where it stands, and what is declared."""
    regions, entities = _declared(document, "regions"), _declared(document, "legal_entities")
    instances = _declared(document, "instances")
    if estate.firm.default_region is not None:
        yield ("firm", "default_region"), estate.firm.default_region, regions
    for name, entity in estate.legal_entities.items():
        if entity.region is not None:
            yield ("legal_entities", name, "region"), entity.region, regions
    for name, instance in estate.instances.items():
        for n, entity in enumerate(instance.legal_entities):
            yield ("instances", name, "legal_entities", n), entity, entities
    for n, source in enumerate(estate.sources):
        if source.instance is not None:
            yield ("sources", n, "instance"), source.instance, instances
        for m, entity in enumerate(source.legal_entities):
            yield ("sources", n, "legal_entities", m), entity, entities
    for name, flow in estate.flows.items():
        ends = instances | frozenset(Role)
        yield ("flows", name, "from"), flow.from_, ends
        yield ("flows", name, "to"), flow.to, ends
        if flow.owner is not None and estate.teams:
            yield ("flows", name, "owner"), flow.owner, frozenset(estate.teams)
    yield from _cutoff_references(estate, regions, entities)


def _cutoff_references(estate: EstateFile, regions: frozenset[str], entities: frozenset[str]) -> Iterator[Reference]:
    for name, cutoff in estate.cutoffs.items():
        for entity in cutoff.legal_entities:
            yield ("cutoffs", name, "legal_entities", entity), entity, entities
        for region in cutoff.regions:
            yield ("cutoffs", name, "regions", region), region, regions
        for location, rule in _rules(name, estate):
            if rule.region is not None:
                yield (*location, "region"), rule.region, regions


def _rules(name: str, estate: EstateFile) -> Iterator[tuple[Location, CutoffRule]]:
    cutoff = estate.cutoffs[name]
    for n, rule in enumerate(cutoff.default or ()):
        yield ("cutoffs", name, "default", n), rule
    for part in ("calendars", "legal_entities", "regions"):
        for whose, rules in getattr(cutoff, part).items():
            for n, rule in enumerate(rules):
                yield ("cutoffs", name, part, whose, n), rule


def _declared(document: YamlDocument, part: str) -> frozenset[str]:
    """Return the names under a part of the file, those of faulty entries included."""
    content: Any = document.content
    named: Any = cast(Any, content).get(part) if isinstance(content, dict) else None
    return frozenset(cast(dict[str, Any], named)) if isinstance(named, dict) else frozenset()
