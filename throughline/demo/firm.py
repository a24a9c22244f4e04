"""The fictional firm Meridian Partners: its regions, legal entities, customers, contracts and people, by seed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from random import Random

from throughline.demo.worktime import Region

NAMESPACE = "meridian"
BEGINS = date(2026, 10, 5)  # a Monday; the weeks after it hold both ends of daylight saving and four public holidays

WEDNESDAY, FRIDAY = 2, 4
CUTOFFS = {"billing": (FRIDAY, time(18)), "payroll": (WEDNESDAY, time(12))}
REGIONS = {
    "EMEA": Region("EMEA", "Europe/Berlin", "DE", time(9), time(17, 30), CUTOFFS),
    "AMER": Region("AMER", "America/New_York", "US", time(9), time(17, 30), CUTOFFS),
    "APAC": Region("APAC", "Asia/Tokyo", "JP", time(9), time(17, 30), CUTOFFS),
}


@dataclass(frozen=True, slots=True)
class Entity:
    """A legal entity of the firm; ``erp`` is the system that keeps its books."""

    code: str
    region: str
    currency: str
    rate: Decimal  # what an hour costs the customer, before experience counts
    share: int  # of the firm's work, in percent


ENTITIES = (
    Entity("DE01", "EMEA", "EUR", Decimal("148.50"), 25),
    Entity("UK01", "EMEA", "GBP", Decimal("131.25"), 15),
    Entity("US01", "AMER", "USD", Decimal("186.40"), 25),
    Entity("CA01", "AMER", "CAD", Decimal("205.00"), 10),
    Entity("JP01", "APAC", "JPY", Decimal("21500"), 15),
    Entity("AU01", "APAC", "AUD", Decimal("214.75"), 10),
)
REGION_OF = {entity.code: entity.region for entity in ENTITIES}
ERP_OF = {"EMEA": "erp-emea", "AMER": "erp-amer", "APAC": "erp-apac"}
ACQUIRED = {"UK01": "erp-uk"}  # a firm bought lately keeps its books in an installation of its own
SYSTEMS = (
    "crm",
    "psa",
    "scheduling",
    *ERP_OF.values(),
    *ACQUIRED.values(),
    "hcm",
    "procurement",
    "expense",
    "payroll",
    "billing",
    "fpna",
    "bi",
)
PRACTICES = ("cloud", "data", "risk")


def erp_of(entity: str) -> str:
    """Return the system that keeps the books of a legal entity."""
    return ACQUIRED.get(entity) or ERP_OF[REGION_OF[entity]]


def role_of(system: str) -> str:
    """Return the role of a system: ``erp`` of ``erp-emea``."""
    return system.partition("-")[0]


def instance_of(system: str) -> str:
    """Return the name of a system's installation: that of a firm that was bought is the second of EMEA's ERP."""
    return "erp-emea-2" if system in ACQUIRED.values() else f"{system}-1"


FIRST_NAMES = (
    "Alder",
    "Birch",
    "Cedar",
    "Dover",
    "Ember",
    "Falcon",
    "Garnet",
    "Harbour",
    "Iris",
    "Juniper",
    "Kestrel",
    "Linden",
    "Maple",
    "North",
    "Orchard",
    "Pioneer",
    "Quarry",
    "River",
    "Summit",
    "Tamar",
    "Umber",
    "Valley",
    "Willow",
    "Yarrow",
    "Zenith",
)
SECOND_NAMES = ("Foods", "Energy", "Health", "Logistics", "Insurance", "Water", "Rail", "Retail", "Steel", "Telecom")


@dataclass(frozen=True, slots=True)
class Customer:
    id: str
    name: str
    entity: Entity


@dataclass(frozen=True, slots=True)
class Contract:
    """Work sold: the project that delivers it, and how it is billed (``time_and_materials`` or ``fixed_fee``)."""

    id: str
    project: str
    customer: Customer
    practice: str
    billing_method: str
    terms_days: int

    @property
    def entity(self) -> Entity:
        return self.customer.entity


@dataclass(frozen=True, slots=True)
class Assignment:
    """A worker on a project, at an hourly price in the entity's currency."""

    id: str
    worker: str
    contract: Contract
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Size:
    """How large the firm is and how long it is watched."""

    deals: int
    workers: int
    timed_contracts: int
    fixed_contracts: int
    milestones: int
    routed: int  # pieces of each kind of work that systems simply pass on
    weeks: int


SCALES = {"small": 0.2, "default": 1.0, "large": 4.0}
DEFAULT_WEEKS = 5
LEAST_WEEKS = 3


def size_of(scale: str, weeks: int) -> Size:
    """Return the size of a named scale; the firm is never smaller than what each fault needs to happen once."""
    factor = SCALES[scale]

    def of(count: int, least: int) -> int:
        return max(least, round(count * factor))

    return Size(of(60, 16), of(150, 36), of(27, 9), of(15, 6), of(60, 24), of(24, 12), max(weeks, LEAST_WEEKS))


@dataclass(frozen=True)
class Firm:
    customers: tuple[Customer, ...]
    contracts: tuple[Contract, ...]
    assignments: tuple[Assignment, ...]  # two for each worker, in the same legal entity

    def contracts_by(self, method: str) -> list[Contract]:
        return [contract for contract in self.contracts if contract.billing_method == method]


def entities_in_turn(count: int) -> list[Entity]:
    """Return so many entities, each by its share and each at least once where the count allows it."""
    chosen = [entity for entity in ENTITIES for _ in range(max(1, round(count * entity.share / 100)))]
    while len(chosen) < count:
        chosen.append(ENTITIES[len(chosen) % len(ENTITIES)])
    return chosen[:count] if count >= len(ENTITIES) else list(ENTITIES[:count])


def build_firm(rng: Random, size: Size) -> Firm:
    """Return the firm of a seed; the same generator state gives the same firm."""
    names = [f"{first} {second}" for second in SECOND_NAMES for first in FIRST_NAMES]
    rng.shuffle(names)
    entities = entities_in_turn(size.timed_contracts) + entities_in_turn(size.fixed_contracts)
    customers = [
        Customer(f"CU-{4100 + index}", names[index % len(names)], entity) for index, entity in enumerate(entities)
    ]
    contracts = [
        Contract(
            id=f"C-{2000 + index}",
            project=f"PRJ-{1000 + index}",
            customer=customer,
            practice=rng.choice(PRACTICES),
            billing_method="time_and_materials" if index < size.timed_contracts else "fixed_fee",
            terms_days=rng.choice((7, 10, 14)),
        )
        for index, customer in enumerate(customers)
    ]
    return Firm(tuple(customers), tuple(contracts), tuple(staff(rng, size.workers, contracts)))


def staff(rng: Random, workers: int, contracts: list[Contract]) -> list[Assignment]:
    """Give each worker two assignments in one entity; billed-by-time contracts are staffed more heavily."""
    assignments: list[Assignment] = []
    for number, entity in enumerate(entities_in_turn(workers)):
        own = [contract for contract in contracts if contract.entity is entity]
        weights = [5 if contract.billing_method == "time_and_materials" else 1 for contract in own]
        experience = Decimal(rng.choice((80, 90, 100, 110, 125))) / 100
        for turn, contract in enumerate(pick_two(rng, own, weights)):
            assignments.append(
                Assignment(
                    id=f"AS-{3000 + 2 * number + turn}",
                    worker=f"W-{500 + number}",
                    contract=contract,
                    rate=(entity.rate * experience).quantize(Decimal("0.01")),
                )
            )
    return assignments


def pick_two(rng: Random, contracts: list[Contract], weights: list[int]) -> list[Contract]:
    """Draw two different contracts, or the only one twice."""
    first = rng.choices(contracts, weights)[0]
    rest = [(contract, weight) for contract, weight in zip(contracts, weights, strict=True) if contract is not first]
    if not rest:
        return [first, first]
    return [first, rng.choices([contract for contract, _ in rest], [weight for _, weight in rest])[0]]
