"""What an event draws by the plan of its shape is what it draws by itself."""

from __future__ import annotations

from hypothesis import given, settings
from msgspec.structs import replace

from lineage.definitions import load_definitions
from lineage.links import Drawing, KeyReader, draw
from lineage.plans import Wiring
from tests.identity_model.worlds import World, worlds
from tests.unit.lineage.adapter import definitions_of
from throughline.core.event import Event, FieldValue

PACK = load_definitions(None)


@settings(max_examples=200)
@given(worlds(max_statements=0))
def test_an_event_draws_by_plan_what_it_draws_by_itself(world: World) -> None:
    definitions = definitions_of(world.declaration)
    wiring = Wiring(definitions)
    reader = KeyReader(definitions.key_types.values())
    for event in (*world.events, *map(_backwards, world.events)):
        read = reader.read(event)
        alone = [
            drawing
            for process in definitions.processes_of_type.get(event.type, ())
            if (drawing := draw(process, read, event.failed)) is not None
        ]
        keys, drawings = wiring.draw(event)
        assert drawings == alone
        assert (keys.stated, keys.placeholders, keys.lacking_scope) == (
            read.stated,
            read.placeholders,
            read.lacking_scope,
        )


def _backwards(event: Event) -> Event:
    return replace(event, fields=dict(reversed(event.fields.items())))


def test_the_second_event_of_a_shape_draws_its_own_values() -> None:
    wiring = Wiring(PACK)
    first, second = (wiring.draw(_posted(number))[1] for number in (1, 2))
    assert _named(first) == [("time_entry\x1fTE-1", ("erp_document\x1fD-1",))]
    assert _named(second) == [("time_entry\x1fTE-2", ("erp_document\x1fD-2",))]


def _posted(number: int) -> Event:
    fields: dict[str, FieldValue] = {"time_entry": f"TE-{number}", "erp_document": f"D-{number}", "region": "EMEA"}
    return Event("/erp", f"e{number}", "time.posted", 1, 1, b"", False, fields)


def _named(drawings: list[Drawing]) -> list[tuple[str, tuple[str, ...]]]:
    return [(owned.owner, owned.aliases) for drawing in drawings for owned in drawing.owned]
