//! Every number that can be watched, in one list.
//!
//! Who counts takes the constant, who shows them reads the list: a name is written here and nowhere else. Labels take
//! few values that the config or the code fixes (a provider's name, a route's pattern, a state), never what a caller
//! sends: no session, turn, user, address, or model that was asked for by name.

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Only rises, and begins again at zero with each process.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts values by size.
    Histogram,
}

impl Kind {
    /// As Prometheus writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric as it is shown.
#[derive(Debug, PartialEq)]
pub struct Metric {
    /// As Prometheus wants it: what it belongs to first, the unit last, `_total` on counters.
    pub name: &'static str,
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// Upper bounds of a histogram's buckets, in the metric's unit; empty for the others.
    pub buckets: &'static [f64],
    pub help: &'static str,
}

/// Seconds, from a write on a fast disk to a slow model's long answer. Three to a decade are enough to tell a change
/// from noise and keep a histogram at 18 series.
const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// Writes of a batch; the last is the writer's own limit.
const WRITES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

macro_rules! metrics {
    ($($id:ident = $kind:ident $name:literal [$($label:literal),*] $($buckets:ident)?, $help:literal;)+) => {
        $(
            #[doc = $help]
            pub const $id: Metric = Metric {
                name: $name,
                kind: Kind::$kind,
                labels: &[$($label),*],
                buckets: metrics!(@buckets $($buckets)?),
                help: $help,
            };
        )+
        /// Every metric there is.
        pub const ALL: &[Metric] = &[$($id),+];
    };
    (@buckets) => { &[] };
    (@buckets $buckets:ident) => { $buckets };
}

metrics! {
    BUILD = Gauge "mosaic_build_info" ["version"], "Always 1; the label is the version that runs.";

    TURNS_ACCEPTED = Counter "mosaic_turns_accepted_total" [], "Turns that were stored and acknowledged.";
    TURNS = Counter "mosaic_turns_total" ["state"], "Turns that ended, by how: finished, failed or cancelled.";
    TURN_SECONDS = Histogram "mosaic_turn_seconds" [] SECONDS, "From a turn's acceptance to its stored end.";
    TURN_QUEUE_SECONDS = Histogram "mosaic_turn_queue_wait_seconds" [] SECONDS,
        "From a turn's acceptance to the start of its work.";
    WORK = Gauge "mosaic_work_running" [], "Turns, stateless calls and deliveries under way.";

    ROUTING = Counter "mosaic_routing_decisions_total" ["source", "task"],
        "Turns and calls that rules were looked at for, by whose rule decided (agent: none) and the task it saw.";

    MODEL_CALLS = Counter "mosaic_model_calls_total" ["provider", "outcome"],
        "Model calls that ended, by outcome: answered, abandoned, or the class of the error.";
    MODEL_FIRST_TOKEN = Histogram "mosaic_model_first_token_seconds" ["provider"] SECONDS,
        "From sending a call to the first piece of its answer.";
    MODEL_SECONDS = Histogram "mosaic_model_call_seconds" ["provider"] SECONDS,
        "From sending a call to its end, good or bad.";
    MODEL_TOKENS = Counter "mosaic_model_tokens_total" ["provider", "direction"],
        "Tokens as the providers count them: input or output.";
    MODEL_COST = Counter "mosaic_model_cost_usd_total" ["provider"],
        "US dollars spent, where the config knows the price of the model.";
    PROVIDER_WAITING = Gauge "mosaic_provider_calls_waiting" ["provider"], "Calls that wait for a place.";
    PROVIDER_IN_FLIGHT = Gauge "mosaic_provider_calls_in_flight" ["provider"], "Calls under way.";

    PROVIDER_DECISIONS = Counter "mosaic_provider_decisions_total" ["provider", "decision"],
        "What was decided of calls and models: queued, refused and why, resting, left alone, probed, well again.";

    BUDGET_NOTICES = Counter "mosaic_budget_notices_total" ["kind"],
        "Times that a budget ran low (80 % spent), was over while calls go on, cut an answer short, or refused a call.";

    COMMIT_SECONDS = Histogram "mosaic_commit_seconds" [] SECONDS, "One batch of writes, its sync included.";
    COMMIT_WRITES = Histogram "mosaic_commit_batch_writes" [] WRITES, "Writes that shared one batch.";
    COMMIT_FAILURES = Counter "mosaic_commit_failures_total" [], "Batches that could not be written.";

    READERS = Gauge "mosaic_readers" [], "Those who read along in a session now.";
    READERS_CUT = Counter "mosaic_readers_cut_total" [], "Readers that were too slow and were cut off.";

    OUTBOX_ITEMS = Gauge "mosaic_outbox_items" ["channel", "state"],
        "Answers that did not go out, by state: pending, sending, unknown or dead.";
    OUTBOX_OLDEST = Gauge "mosaic_outbox_oldest_seconds" ["channel"], "Age of the oldest answer that must still go out.";
    DELIVERIES = Counter "mosaic_deliveries_total" ["channel", "outcome"],
        "Calls of platforms to deliver, by outcome: sent, part, later, unknown or dead.";

    HTTP_REQUESTS = Counter "mosaic_http_requests_total" ["method", "route", "status"],
        "HTTP requests answered to the end, by pattern of the route and class of the status.";
    HTTP_SECONDS = Histogram "mosaic_http_request_seconds" ["route"] SECONDS,
        "From a request's head to the last byte of its answer.";

    // Counted by the supervisors, which know no room of ours and so write these three names themselves; a test compares.
    RESTARTS = Counter "mosaic_restarts_total" ["supervisor"], "Restarts of children.";
    CRASHES = Counter "mosaic_crashes_total" ["supervisor", "exit"], "Children that ended otherwise than by a stop, by how.";
    DOWN = Gauge "mosaic_children_down" ["supervisor"], "Children that spent their restart budget and rest.";
    CHILDREN = Gauge "mosaic_children" ["supervisor", "state"], "Children by state.";
    MAILBOX_DEPTH = Gauge "mosaic_mailbox_depth" ["supervisor"],
        "Messages that wait and requests that are not answered, of all children together.";
    MAILBOX_DEPTH_MAX = Gauge "mosaic_mailbox_depth_max" ["supervisor"], "The same, of the fullest child.";
    MAILBOX_OLDEST = Gauge "mosaic_mailbox_oldest_seconds" ["supervisor"], "How long the oldest message has waited.";

    SPANS_EXPORTED = Counter "mosaic_trace_spans_exported_total" [], "Spans that the collector took.";
    SPANS_DROPPED = Counter "mosaic_trace_spans_dropped_total" ["reason"],
        "Spans that were let go, by reason: queue_full or export_failed.";

    CPU = Counter "process_cpu_seconds_total" [], "CPU time, user and system.";
    MEMORY = Gauge "process_resident_memory_bytes" [], "Memory that is resident.";
    VIRTUAL_MEMORY = Gauge "process_virtual_memory_bytes" [], "Addresses that are mapped.";
    OPEN_FDS = Gauge "process_open_fds" [], "File descriptors that are open.";
    MAX_FDS = Gauge "process_max_fds" [], "File descriptors that may be open.";
    THREADS = Gauge "process_threads" [], "Threads.";
    START_TIME = Gauge "process_start_time_seconds" [], "When the process began, in seconds since 1970.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_said_once_and_as_prometheus_wants_it() {
        let names: BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len(), "a name is given twice");
        for metric in ALL {
            let name = metric.name;
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{name}"
            );
            assert!(name.starts_with("mosaic_") || name.starts_with("process_"), "{name}");
            assert_eq!(metric.kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert_eq!(metric.kind == Kind::Histogram, !metric.buckets.is_empty(), "{name}");
            assert!(metric.buckets.is_sorted(), "{name}");
            assert!(metric.help.ends_with('.'), "{name}: {}", metric.help);
        }
    }

    #[test]
    fn labels_are_of_those_whose_values_are_few() {
        // Each of these takes its values from the config, the tree's own names, or the code. A new one wants a reason
        // why its values are bounded.
        let few = [
            "version",
            "state",
            "provider",
            "outcome",
            "direction",
            "method",
            "route",
            "status",
            "supervisor",
            "exit",
            "reason",
            "channel",
            "decision",
            "kind",
            "source",
            "task",
        ];
        for metric in ALL {
            assert!(metric.labels.iter().all(|label| few.contains(label)), "{}: {:?}", metric.name, metric.labels);
        }
    }
}
