//! `mosaic up`: the daemon in the foreground.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use mosaic_types::journal::Write;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::house::House;
use super::output::{note, print};
use super::{CliError, Common, wrap};
use crate::app::App;
use crate::detect::NO_PROVIDER;
use crate::home::HomeError;
use crate::link::Link;
use crate::telemetry;

/// For so long another daemon on the same home may take to leave.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// For so long the wait is not worth a word: somebody may only look whether a daemon runs.
const GLANCE: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
pub(super) struct Up {}

pub(super) async fn run(common: Common, _: Up) -> Result<(), CliError> {
    let home = common.home()?;
    let config = common.config(&home)?;
    // Metrics first: spans that are dropped are counted.
    telemetry::metrics::start();
    common.observe(config.log.level, config.log.format);
    for doubt in config.doubts(&common.env()) {
        tracing::warn!("{doubt}");
    }
    let mut stops = Stops::listen()?;
    let lock = match home.lock(GLANCE).await {
        Err(error @ HomeError::InUse { .. }) => {
            note(&format!("{error}; waiting {} s for it to leave.", LOCK_PATIENCE.as_secs()));
            tokio::select! {
                lock = home.lock(LOCK_PATIENCE) => lock?,
                () = stops.next() => return Ok(()),
            }
        }
        answer => answer?,
    };
    let House { app, server, lock, base, resumed, .. } = House::open(&common, &config, lock, false).await?;
    let link = if std::io::stdout().is_terminal() {
        first_link(&app, config.gateway.public_url().as_deref().unwrap_or(&base)).await?
    } else {
        None
    };
    say(&config, &app, &base, home.path(), resumed, link);

    let ended = tokio::select! {
        () = stops.next() => Ok(()),
        why = app.failed() => Err(CliError::GaveUp(why.to_string())),
    };
    // From here on no client is sent to this daemon any more.
    lock.retire();
    if ended.is_ok() {
        note("Stopping; a second signal stops at once.");
        tokio::select! {
            left = app.drain(config.shutdown.grace) => {
                if left > 0 {
                    note(&format!("Not done in time: {left}. Turns of sessions go on after the next start."));
                }
            }
            () = stops.next() => note("Stopping at once; what was running goes on after the next start."),
        }
        app.stop().await;
    }
    server.stop().await;
    ended
}

/// A sign-in link for the owner, as long as none was ever used.
async fn first_link(app: &App, base: &str) -> Result<Option<String>, CliError> {
    if app.doors.store.links().await?.iter().any(|link| link.spent) {
        return Ok(None);
    }
    let link = Link::new(&app.doors.outside, app.owner(), Link::FIRST);
    app.doors.commit(Write::CreateLink(link.row.clone())).await?;
    Ok(Some(link.url(base)))
}

/// Tells the person that the daemon is ready and what to do next.
fn say(
    config: &crate::config::Config,
    app: &App,
    base: &str,
    home: &std::path::Path,
    resumed: usize,
    link: Option<String>,
) {
    let mut text = format!("Mosaic {} is ready at {base}\n", env!("CARGO_PKG_VERSION"));
    text += &format!("  home    {}\n", home.display());
    match &config.file {
        Some(file) => text += &format!("  config  {}\n", file.display()),
        None => {
            text +=
                &format!("  config  built-in defaults ({} is not there)\n", home.join(crate::config::FILE).display())
        }
    }
    let agents: Vec<_> = app.doors.agents.profiles().iter().map(|agent| agent.name.to_string()).collect();
    text += &format!("  agents  {}\n", agents.join(", "));
    let providers: Vec<_> = app.doors.providers.all().iter().map(|p| p.adapter.name().to_string()).collect();
    if !providers.is_empty() {
        text += &format!("  models  from {}\n", providers.join(", "));
    }
    for found in &app.found {
        text += &format!("{found}\n");
    }
    if resumed > 0 {
        text += &format!("Sessions that go on where they were cut off: {resumed}\n");
    }
    let page = if link.is_some() {
        "The link above leads to a page that asks for a key, tries it, and begins the chat.\n"
    } else {
        ""
    };
    if let Some(link) = link {
        text += &format!("\nSign a browser in, once, within a day; later `mosaic link` makes a new link:\n  {link}\n");
    }
    text += &if providers.is_empty() {
        format!("\n{NO_PROVIDER}\n{page}")
    } else {
        format!("\nTry it in another terminal:  {} chat \"hello\"\n", own_name())
    };
    let text = wrap::columns(&std::io::stdout()).map_or(text.clone(), |columns| wrap::wrapped(&text, columns));
    // A daemon runs on where nobody reads what it says.
    let _ = print(&text);
}

/// What a person types to run this very program: `mosaic` where the shell finds it, otherwise its path.
fn own_name() -> String {
    let Ok(own) = std::env::current_exe() else { return "mosaic".to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join("mosaic") == own) {
        return "mosaic".to_owned();
    }
    let here = std::env::current_dir().unwrap_or_default();
    own.strip_prefix(here).unwrap_or(&own).display().to_string()
}

/// SIGINT and SIGTERM, from the first moment on.
struct Stops {
    interrupt: Signal,
    terminate: Signal,
}

impl Stops {
    fn listen() -> Result<Self, CliError> {
        let listen =
            |kind| signal(kind).map_err(|error| CliError::Failed(format!("cannot listen to signals: {error}")));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
