import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import java.util.Scanner;

/** Each line of standard input is a time entry that was submitted; OTEL_... variables say where to and how. */
class SendSpans {
    public static void main(String[] arguments) {
        try (OpenTelemetrySdk sdk = AutoConfiguredOpenTelemetrySdk.initialize().getOpenTelemetrySdk()) {
            Tracer tracer = sdk.getTracer("psa-sync");
            for (Scanner lines = new Scanner(System.in); lines.hasNextLine(); ) {
                tracer.spanBuilder("submit")
                        .setAttribute("throughline.event", "time.submitted")
                        .setAttribute("throughline.time_entry", lines.nextLine())
                        .startSpan()
                        .end();
            }
        }
    }
}
