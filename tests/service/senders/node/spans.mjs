// Each line of standard input is a time entry that was submitted; OTEL_... variables say where to and how.
import { createInterface } from "node:readline";
import { trace } from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";

const sdk = new NodeSDK();
sdk.start();
const tracer = trace.getTracer("psa-sync");

for await (const entry of createInterface({ input: process.stdin })) {
  const span = tracer.startSpan("submit");
  span.setAttributes({ "throughline.event": "time.submitted", "throughline.time_entry": entry });
  span.end();
}
await sdk.shutdown();
