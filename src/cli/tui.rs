//! `mosaic tui`: the full-screen client, with a daemon of its own where none runs.

use std::net::SocketAddr;
use std::path::Path;

use clap::{Args, ValueEnum};
use mosaic_types::page::Page;
use mosaic_types::{AgentName, Failure, SessionId};
use tokio::sync::oneshot;

use super::house::House;
use super::output::note;
use super::reach::Reach;
use super::{CliError, Client, Common, client};
use crate::home::{Drafts, HomeLock};
use crate::tui::{self, Start, Theme};
use crate::{outside, telemetry};

/// Lines of the log go here, since the screen is taken.
const LOG: &str = "tui.log";

#[derive(Debug, Args)]
#[command(after_help = tui::keys::lines())]
pub(super) struct Tui {
    /// Go on in this session
    #[arg(long, value_name = "ID", conflicts_with = "continue_last")]
    session: Option<String>,
    /// Go on in the session that was used last
    #[arg(long = "continue", short = 'c')]
    continue_last: bool,
    /// The agent that answers, in new sessions
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Colours [default: those that fit the terminal]
    #[arg(long, value_enum)]
    theme: Option<Colours>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Colours {
    Dark,
    Light,
    Plain,
}

pub(super) fn run(common: Common, tui: Tui) -> Result<(), CliError> {
    if !std::io::IsTerminal::is_terminal(&std::io::stdin()) || !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        let sentence = "mosaic tui wants a terminal. Where there is none, `mosaic chat` takes a message and prints the \
                        answer.";
        return Err(CliError::Usage(sentence.to_owned()));
    }
    let agent = tui.agent.as_deref().map(str::parse::<AgentName>).transpose();
    let agent = agent.map_err(|bad| CliError::Usage(bad.to_string()))?;
    let asking = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asking = asking.map_err(|error| CliError::Failed(format!("cannot begin to work: {error}")))?;
    let home = common.home()?;
    let log = Log::open(&home.path().join(LOG))?;

    let (embedded, greeting, place) = match asking.block_on(Reach::find(&common))? {
        Reach::Daemon(client) => {
            common.log(tracing::Level::WARN, crate::config::LogFormat::Text);
            (None, None, client.place().to_owned())
        }
        Reach::Alone(lock) => {
            let embedded = Embedded::start(common.clone(), lock)?;
            // Short enough for a line of 80 columns.
            let sentence = match embedded.held {
                None => format!("No daemon was running: this window runs one, at {}.", embedded.base),
                Some(held) => {
                    format!("Port {} is taken: this window runs a daemon, at {}.", held.port(), embedded.base)
                }
            };
            (Some(embedded), Some(sentence), client::HOME.to_owned())
        }
    };
    let session = asking.block_on(session(&common, &tui))?;
    let theme = match tui.theme {
        Some(Colours::Dark) => Theme::Dark,
        Some(Colours::Light) => Theme::Light,
        Some(Colours::Plain) => Theme::Plain,
        None => {
            let variable = |name| common.env().get(name).map(str::to_owned);
            Theme::fitting(variable("NO_COLOR").as_deref(), variable("COLORFGBG").as_deref())
        }
    };
    let finder = common.clone();
    let find = Box::new(move || Client::find(&finder));
    let drafts = Drafts::open(&home, &place);
    let ended = tui::run(Start { find, session, agent, theme, drafts, greeting, outside: outside::system() });
    drop(log);
    if let Some(embedded) = embedded {
        embedded.stop()?;
    }
    ended.map_err(CliError::Failed)
}

/// The session to begin with; `None`: a new one.
async fn session(common: &Common, tui: &Tui) -> Result<Option<SessionId>, CliError> {
    #[derive(serde::Deserialize)]
    struct Row {
        id: SessionId,
    }
    if let Some(id) = &tui.session {
        return id.parse().map(Some).map_err(|_| Failure::not_found("session").into());
    }
    if !tui.continue_last {
        return Ok(None);
    }
    let page: Page<Row> = Client::need(common)?.get("/api/v1/sessions?limit=1").await?;
    Ok(page.items.into_iter().next().map(|row| row.id))
}

/// Stderr, which goes to a file as long as the screen is taken: logs, and what libraries complain of.
struct Log(Option<std::os::fd::OwnedFd>);

impl Log {
    fn open(path: &Path) -> Result<Self, CliError> {
        let refused = |error: std::io::Error| CliError::Failed(format!("cannot write {}: {error}", path.display()));
        let file = crate::home::append_private(path).map_err(refused)?;
        let kept = rustix::io::dup(rustix::stdio::stderr()).ok();
        rustix::stdio::dup2_stderr(&file).map_err(|error| refused(error.into()))?;
        Ok(Self(kept))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(kept) = &self.0 {
            let _ = rustix::stdio::dup2_stderr(kept);
        }
    }
}

/// A whole daemon in this process, on a thread of its own.
struct Embedded {
    base: String,
    /// The address it did not get.
    held: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<Result<(), CliError>>,
}

impl Embedded {
    /// Starts it and waits until it can be reached.
    fn start(common: Common, lock: HomeLock) -> Result<Self, CliError> {
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let live = move || actix::System::new().block_on(live(common, lock, tell, stopped));
        let thread = std::thread::Builder::new().name("daemon".to_owned()).spawn(live);
        let thread = thread.map_err(|error| CliError::Failed(format!("cannot start a daemon: {error}")))?;
        match told.recv() {
            Ok((base, held)) => Ok(Self { base, held, stop, thread }),
            // It ended before it could be reached, and says why.
            Err(_) => Err(joined(thread).err().unwrap_or(CliError::Told)),
        }
    }

    /// Lets what runs come to its end, and ends.
    fn stop(self) -> Result<(), CliError> {
        let _ = self.stop.send(());
        joined(self.thread)
    }
}

fn joined(thread: std::thread::JoinHandle<Result<(), CliError>>) -> Result<(), CliError> {
    thread.join().unwrap_or_else(|_| Err(CliError::Failed("the daemon of this window broke; its log says why".into())))
}

async fn live(
    common: Common,
    lock: HomeLock,
    tell: std::sync::mpsc::Sender<(String, Option<SocketAddr>)>,
    stopped: oneshot::Receiver<()>,
) -> Result<(), CliError> {
    let config = common.config(lock.home())?;
    telemetry::metrics::start();
    common.observe(config.log.level, config.log.format);
    let house = House::open(&common, &config, lock, config.bind_is_default()).await?;
    let _ = tell.send((house.base.clone(), house.held.then_some(config.gateway.bind)));
    drop(tell);
    let ended = tokio::select! {
        _ = stopped => Ok(()),
        why = house.app.failed() => Err(CliError::GaveUp(why.to_string())),
    };
    house.lock.retire();
    if ended.is_ok() {
        if house.app.doors.work.running() > 0 {
            note("An answer is still coming; waiting for its end. Ctrl+C leaves it to the next start.");
        }
        tokio::select! {
            _ = house.app.drain(config.shutdown.grace) => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        house.app.stop().await;
    }
    house.server.stop().await;
    ended
}
