//! Metrics: the recorder of this process, and the page that Prometheus reads.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use mosaic_runtime::Doors;
use mosaic_supervise::{ChildState, ChildView};
use mosaic_types::Timestamp;
use mosaic_types::metric::{self, Kind, Metric};
use mosaic_types::outbox::{ItemCount, ItemState};

use super::page::Page;
use super::process;

/// The recorder keeps single values of histograms until somebody sorts them into their buckets; so often it is done
/// where nobody asks for the page.
const UPKEEP: Duration = Duration::from_secs(5);

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Begins to count. Called before the first actor starts: a handle that was made earlier counts nothing.
pub(crate) fn start() {
    let recorder = builder().build_recorder();
    let handle = recorder.handle();
    if ::metrics::set_global_recorder(recorder).is_err() {
        return;
    }
    describe();
    let _ = RECORDER.set(handle.clone());
    actix::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            handle.run_upkeep();
        }
    });
}

/// A recorder whose histograms have the buckets of the list.
fn builder() -> PrometheusBuilder {
    let histograms = metric::ALL.iter().filter(|metric| !metric.buckets.is_empty());
    histograms.fold(PrometheusBuilder::new(), |builder, metric| {
        let name = Matcher::Full(metric.name.to_owned());
        builder.set_buckets_for_metric(name, metric.buckets).expect("the list's buckets are not empty")
    })
}

/// Tells the recorder now set what each metric is for.
fn describe() {
    use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    for Metric { name, kind, help, .. } in metric::ALL {
        let unit = match name.trim_end_matches("_total").rsplit('_').next() {
            Some("seconds") => Unit::Seconds,
            Some("bytes") => Unit::Bytes,
            _ => Unit::Count,
        };
        match kind {
            Kind::Counter => describe_counter!(*name, unit, *help),
            Kind::Gauge => describe_gauge!(*name, unit, *help),
            Kind::Histogram => describe_histogram!(*name, unit, *help),
        }
    }
}

/// The whole page. `root` is the tree as it is now, `items` what did not go out; `None`: the store could not be asked.
pub(crate) fn page(doors: &Doors, root: &ChildView, items: Option<&[ItemCount]>) -> String {
    let mut page = Page::default();
    page.family(&metric::BUILD, [([env!("CARGO_PKG_VERSION")], 1.0)]);
    page.one(&metric::WORK, number(doors.work.running()));
    page.one(&metric::READERS, number(doors.hub.readers()));
    let providers = doors.providers.all();
    let each = |value: fn(&mosaic_runtime::provider::ProviderHandle) -> f64| {
        providers.iter().map(move |provider| ([provider.adapter.name().as_str()], value(provider)))
    };
    page.family(&metric::MODEL_COST, each(|provider| provider.meter.spent_usd()));
    page.family(&metric::PROVIDER_WAITING, each(|provider| number(provider.meter.waiting())));
    page.family(&metric::PROVIDER_IN_FLIGHT, each(|provider| number(provider.in_flight())));
    if let Some(items) = items {
        outbox(&mut page, items, doors.outside.now());
    }
    tree(&mut page, root);
    process::write(&mut page);
    let counted = RECORDER.get().map(PrometheusHandle::render).unwrap_or_default();
    counted + &page.into_text()
}

/// What did not go out, by channel, whose names are the config's.
fn outbox(page: &mut Page, items: &[ItemCount], now: Timestamp) {
    let count = |count: &ItemCount| usize::try_from(count.items).unwrap_or(usize::MAX);
    let counts = items.iter().map(|item| ([item.channel.as_str(), item.state.as_str()], number(count(item))));
    page.family(&metric::OUTBOX_ITEMS, counts);
    let mut oldest: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for item in items.iter().filter(|item| matches!(item.state, ItemState::Pending | ItemState::Sending)) {
        let known = oldest.entry(&item.channel).or_insert(item.oldest);
        *known = item.oldest.min(*known);
    }
    let age = |oldest: Timestamp| Duration::from_micros(u64::try_from(now.0 - oldest.0).unwrap_or(0)).as_secs_f64();
    page.family(&metric::OUTBOX_OLDEST, oldest.into_iter().map(|(channel, oldest)| ([channel], age(oldest))));
}

/// What the supervisors show of their children: by supervisor, whose names are the code's, never by child.
fn tree(page: &mut Page, root: &ChildView) {
    let mut supervisors = Vec::new();
    let mut waiting = vec![root];
    while let Some(view) = waiting.pop() {
        if view.household.is_some() {
            supervisors.push(view);
            waiting.extend(view.children());
        }
    }
    let states = [
        (ChildState::Up, "up"),
        (ChildState::Stopping, "stopping"),
        (ChildState::Restarting, "restarting"),
        (ChildState::Down, "down"),
    ];
    let children = supervisors.iter().flat_map(|supervisor| {
        states.iter().map(|(state, name)| {
            let count = supervisor.children().iter().filter(|child| child.state == *state).count();
            ([&*supervisor.name, *name], number(count))
        })
    });
    page.family(&metric::CHILDREN, children);
    let of = |value: fn(&[ChildView]) -> f64| {
        supervisors.iter().map(move |supervisor| ([&*supervisor.name], value(supervisor.children())))
    };
    page.family(&metric::MAILBOX_DEPTH, of(|children| number(children.iter().map(|child| child.depth).sum())));
    page.family(
        &metric::MAILBOX_DEPTH_MAX,
        of(|children| number(children.iter().map(|child| child.depth).max().unwrap_or(0))),
    );
    let oldest = |children: &[ChildView]| {
        let millis = children.iter().map(|child| child.oldest_ms).max().unwrap_or(0);
        Duration::from_millis(millis).as_secs_f64()
    };
    page.family(&metric::MAILBOX_OLDEST, of(oldest));
}

#[allow(clippy::cast_precision_loss)] // counts of what is in memory stay far below 2^52
fn number(count: usize) -> f64 {
    count as f64
}
