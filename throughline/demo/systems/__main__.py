"""One system as a program: it reads orders from its standard input and answers on its standard output.

``python -m throughline.demo.systems SYSTEM SEED ADDRESSES``; ADDRESSES is the product's ``addresses.json`` as text.
"""

from __future__ import annotations

import signal
import sys

import msgspec

from throughline.demo.systems.message import Addresses, Advance, Done, Headers, advance_decoder, encoder
from throughline.demo.systems.speech import Refused, Speech, speech_of

ORDERS_A_FLUSH = 400  # fewer than the SDK's queue of 2,048 holds, spans and records included


def carry_out(speech: Speech, advance: Advance) -> Done:
    """Do what was ordered, and tell it; the answer says what was refused."""
    headers: dict[str, Headers] = {}
    position: str | None = None
    try:
        for start in range(0, len(advance.orders), ORDERS_A_FLUSH):
            for order in advance.orders[start : start + ORDERS_A_FLUSH]:
                headers[order.id] = speech.tell(order)
            position = speech.flush() or position
    except Refused as refused:
        return Done(headers, position, [str(refused)])
    return Done(headers, position)


def main(system: str, seed: str, addresses: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the demo that started this program ends it, by closing its input
    speech = speech_of(system, msgspec.json.decode(addresses, type=Addresses), seed)
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(encoder.encode(carry_out(speech, advance_decoder.decode(line))) + b"\n")
        sys.stdout.buffer.flush()
    speech.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
