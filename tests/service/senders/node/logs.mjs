// Each line of standard input is a time entry that was submitted; OTEL_... variables say where to and how.
import { createInterface } from "node:readline";
import { logs } from "@opentelemetry/api-logs";
import { NodeSDK } from "@opentelemetry/sdk-node";

const sdk = new NodeSDK();
sdk.start();
const logger = logs.getLogger("psa-sync");

for await (const entry of createInterface({ input: process.stdin })) {
  logger.emit({ eventName: "time.submitted", timestamp: new Date(), attributes: { time_entry: entry } });
}
await sdk.shutdown();
