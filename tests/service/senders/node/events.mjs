// Each line of standard input is a time entry that was submitted. Arguments: the door, the source, and the mode.
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { CloudEvent, emitterFor, httpTransport } from "cloudevents";

const [door, source, mode] = process.argv.slice(2);
const emit = emitterFor(httpTransport(door), { mode });

for await (const entry of createInterface({ input: process.stdin })) {
  await untilTaken(new CloudEvent({ source, type: "time.submitted", data: { time_entry: entry } }));
}

// The SDK neither retries nor fails where it is refused: an answer with a position alone says that an event is kept.
async function untilTaken(event) {
  for (;;) {
    const answer = await emit(event).then(({ body }) => JSON.parse(body), () => ({ status: 503 }));
    if (answer.position) return;
    if (answer.status < 500 && answer.status !== 429) throw new Error(answer.detail);
    await setTimeout(1000);
  }
}
