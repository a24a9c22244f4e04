// Each line of standard input is a time entry that was submitted; OTEL_... variables say where to and how.
package main

import (
	"bufio"
	"context"
	stdlog "log"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
)

func exporter(ctx context.Context) (sdklog.Exporter, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL") == "http/protobuf" {
		return otlploghttp.New(ctx)
	}
	return otlploggrpc.New(ctx)
}

func main() {
	ctx := context.Background()
	exporter, err := exporter(ctx)
	if err != nil {
		stdlog.Fatal(err)
	}
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)))
	logger := provider.Logger("psa-sync")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var record log.Record
		record.SetEventName("time.submitted")
		record.SetTimestamp(time.Now())
		record.AddAttributes(attribute.String("time_entry", lines.Text()))
		logger.Emit(ctx, record)
	}
	if err := provider.Shutdown(ctx); err != nil {
		stdlog.Fatal(err)
	}
}
