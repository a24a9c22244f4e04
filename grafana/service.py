"""The service itself, for who runs it: is it well, is anybody refused, and what runs out next?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from grafana.panels import GREEN, RED, YES_NO, Placed, Query, Section, board, figure, since, trend
from throughline.core import metric_names as names

_RATE = "[$__rate_interval]"
_REFUSED = f'sum by (door, outcome) (rate({names.REQUESTS.name}{{outcome!="accepted"}}{_RATE}))'


def _quantile(share: str, metric: str, by: str = "") -> str:
    return f"histogram_quantile({share}, sum by ({by}le) (rate({metric}_bucket{_RATE})))"


def service() -> dashboard.Dashboard:
    """Return the dashboard."""
    ready = since(
        "Does every part do its work, and since when not?",
        "As /readyz says, which also says why not; docs/how-to/operate.md says what to do about each reason.",
        YES_NO,
        Query(names.READY.name, "{{of}}"),
    )
    lag = figure(
        "How old is the oldest that is in no case yet?",
        "What came in is durable; until it is folded, cases and deadlines do not know of it. Over a minute for five is"
        " an alert.",
        "s",
        Query(names.FOLD_LAG_SECONDS.name, "fold lag"),
        steps=((None, GREEN), (60, RED)),
    )
    failed = figure(
        "Has the disk refused a commit?",
        "In the time shown. Any is an alert: senders are refused until the disk writes again.",
        "none",
        Query(f"sum(increase({names.COMMIT_FAILURES.name}[$__range]))", "refused commits", now=True),
        steps=((None, GREEN), (1, RED)),
    )
    taken = trend(
        "How much comes in?",
        "Events, spans and log records a second, all doors.",
        "short",
        Query(f"sum(rate({names.RECEIVED_EVENTS.name}{_RATE}))", "events"),
        Query(f"sum(rate({names.RECEIVED_SPANS.name}{_RATE}))", "spans"),
        Query(f"sum(rate({names.RECEIVED_LOG_RECORDS.name}{_RATE}))", "log records"),
    )
    refused = trend(
        "Who is refused, and why?",
        "Requests a second, the eight commonest by door and outcome; docs/reference/refusals.md says what each means.",
        "short",
        Query(f"topk(8, {_REFUSED})", "{{door}}: {{outcome}}"),
    )
    acknowledged = trend(
        "How long do senders wait to be acknowledged?",
        "99 of 100 requests at each door, the commit to disk included. Exemplars are the traces of slow ones.",
        "s",
        Query(_quantile("0.99", names.ACKNOWLEDGE_SECONDS.name, "door, "), "{{door}}", exemplars=True),
    )
    commits = trend(
        "How fast is the disk?",
        "Time of a group commit. Most over a tenth of a second is an alert.",
        "s",
        Query(_quantile("0.5", names.COMMIT_SECONDS.name), "median"),
        Query(_quantile("0.99", names.COMMIT_SECONDS.name), "p99"),
    )
    folded = trend(
        "How much is folded into cases?",
        "Events a second: new, seen before, put in the place of another, too old.",
        "short",
        Query(f"sum by (outcome) (rate({names.FOLDED_EVENTS.name}{_RATE}))", "{{outcome}}"),
    )
    answered = trend(
        "How long do questions take?",
        "Median and 99 of 100 answers of the API. Exemplars are the traces of those who asked.",
        "s",
        Query(_quantile("0.5", names.API_SECONDS.name), "median"),
        Query(_quantile("0.99", names.API_SECONDS.name), "p99", exemplars=True),
    )
    behind = trend(
        "How far are KPIs behind the cases?",
        "Saves of cases that no figure shows yet; many while every case is looked at anew, as after a changed"
        " declaration.",
        "short",
        Query(names.KPI_BEHIND.name, "changes"),
    )
    space = trend(
        "When is the disk full?",
        "Below what is kept free (free_bytes) doors refuse. What is kept for how long: docs/reference/retention.md.",
        "bytes",
        Query(names.DISK_FREE_BYTES.name, "free"),
        Query(names.DISK_KEPT_FREE_BYTES.name, "kept free"),
        Query(names.JOURNAL_BYTES.name, "journal"),
        Query(names.STORE_BYTES.name, "store"),
        Query(names.KPI_BYTES.name, "KPIs"),
    )
    memory = trend(
        "How much memory does each part take?",
        "Resident, as the system counts it.",
        "bytes",
        Query('process_resident_memory_bytes{part!=""}', "{{part}}"),
    )
    busy = trend(
        "How busy is each part?",
        "1 is a whole core.",
        "short",
        Query(f'rate(process_cpu_seconds_total{{part!=""}}{_RATE})', "{{part}}"),
    )
    files = trend(
        "How near are the limits?",
        "Files that are open, of those that each part may open. Over 80 % is an alert.",
        "percentunit",
        Query('process_open_fds{part!=""} / process_max_fds', "{{part}}"),
    )
    return board(
        "throughline-service",
        "Throughline: the service itself",
        "For who runs it: is it well, is anybody refused, and what runs out next?",
        [
            Section("Is it well?", [Placed(ready, 12, 6), Placed(lag, 6, 6), Placed(failed, 6, 6)]),
            Section(
                "Do senders get through?",
                [
                    Placed(taken, 12, 8),
                    Placed(refused, 12, 8),
                    Placed(acknowledged, 12, 8),
                    Placed(commits, 12, 8),
                ],
            ),
            Section(
                "Do cases, figures and answers keep up?",
                [Placed(folded, 8, 8), Placed(behind, 8, 8), Placed(answered, 8, 8)],
            ),
            Section(
                "What runs out next?",
                [
                    Placed(space, 12, 8),
                    Placed(memory, 12, 8),
                    Placed(busy, 12, 8),
                    Placed(files, 12, 8),
                ],
            ),
        ],
        span="now-6h",
    )
