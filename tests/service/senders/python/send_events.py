"""Each line of standard input is a time entry that was submitted. Arguments: the door, the source, and the mode.

The SDK makes requests and leaves sending to its user, and so sending again.
"""

import sys
import time
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen
from uuid import uuid4

from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

PASSING = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
door, source, mode = sys.argv[1:]
message_of = to_binary_event if mode == "binary" else to_structured_event


def send_until_taken(message: HTTPMessage) -> None:
    while True:
        try:
            urlopen(Request(door, message.body, dict(message.headers))).close()
            return
        except HTTPError as error:
            if error.code not in PASSING:
                raise
        except (URLError, ConnectionError):
            pass
        time.sleep(1)


for line in sys.stdin:
    attributes = {"specversion": "1.0", "id": str(uuid4()), "source": source, "type": "time.submitted"}
    event = CloudEvent(attributes | {"time": datetime.now(UTC)}, {"time_entry": line.strip()})
    send_until_taken(message_of(event))
