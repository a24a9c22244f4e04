import io.opentelemetry.api.logs.Logger;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import java.time.Instant;
import java.util.Scanner;

/** Each line of standard input is a time entry that was submitted; OTEL_... variables say where to and how. */
class SendLogs {
    public static void main(String[] arguments) {
        try (OpenTelemetrySdk sdk = AutoConfiguredOpenTelemetrySdk.initialize().getOpenTelemetrySdk()) {
            Logger logger = sdk.getLogsBridge().get("psa-sync");
            for (Scanner lines = new Scanner(System.in); lines.hasNextLine(); ) {
                logger.logRecordBuilder()
                        .setEventName("time.submitted")
                        .setTimestamp(Instant.now())
                        .setAttribute("time_entry", lines.nextLine())
                        .emit();
            }
        }
    }
}
