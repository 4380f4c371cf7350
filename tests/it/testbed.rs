//! A daemon under test: the real binary, a temporary home, and a stand-in for the model.

mod api;
mod command;
mod contract;
mod inside;
mod kept;
mod sse;
mod wire;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use mosaic_testkit::postgres::Database;
use mosaic_testkit::provider::Builder;
use mosaic_testkit::{Proxy, StandIn};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

pub(crate) use api::{Api, refusal};
pub(crate) use command::{Ended, Talk, run};
pub(crate) use inside::Inside;
pub(crate) use kept::on_postgres;
pub(crate) use sse::{Sse, heard};
pub(crate) use wire::{Said, Wire};

/// How long a test waits for what must come. Long enough for a busy machine, short enough to be read.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Pause between two looks at what cannot be awaited.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Waits for what must come soon.
pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("in vain for {PATIENCE:?}: {what}"))
}

/// Panics unless most of these took less than `limit`. A busy machine holds up some; what is slow by a fault is so each time.
pub(crate) fn mostly_within(limit: Duration, mut took: Vec<Duration>) {
    took.sort();
    assert!(took[took.len() / 2] < limit, "{took:?}");
}

/// Looks again and again until there is something to see.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let looking = async {
        loop {
            match look().await {
                Some(seen) => return seen,
                None => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    };
    soon(what, looking).await
}

/// A process of the daemon.
struct Daemon {
    child: Child,
    address: SocketAddr,
    /// Kept open: the daemon must not meet a closed pipe.
    _stdout: Lines<BufReader<ChildStdout>>,
    said: String,
}

/// A home with its settings, the model it talks to, and the daemon, while it runs.
pub(crate) struct Testbed {
    home: TempDir,
    pub(crate) model: StandIn,
    daemon: Option<Daemon>,
    /// Variables of its commands, beside those that all need.
    env: Vec<(&'static str, String)>,
    /// Where everything is kept, where that is not the home; with how the daemon gets there.
    kept: Option<(Database, String)>,
}

impl Testbed {
    /// A daemon that is ready, with a model that says back what it hears.
    pub(crate) async fn start() -> Self {
        Self::with(StandIn::builder()).await
    }

    /// A daemon that is ready, with this model.
    pub(crate) async fn with(model: Builder) -> Self {
        let mut bed = Self::asleep(model);
        bed.restart().await;
        bed
    }

    /// A home whose daemon does not run yet.
    pub(crate) fn asleep(model: Builder) -> Self {
        let home = tempfile::tempdir().expect("a folder can be made");
        let model = model.start();
        let kept = kept::database().map(|database| {
            let url = database.url();
            (database, url)
        });
        let bed = Self { home, model, daemon: None, env: Vec::new(), kept };
        bed.configure("");
        bed
    }

    /// Sets a variable for commands that are started from now on.
    pub(crate) fn set_env(&mut self, name: &'static str, value: impl Into<String>) {
        self.env.push((name, value.into()));
    }

    /// Takes a variable back, for commands that are started from now on.
    #[cfg(feature = "chaos")]
    pub(crate) fn unset_env(&mut self, name: &str) {
        self.env.retain(|(set, _)| *set != name);
    }

    /// A daemon that is ready, kept by PostgreSQL behind a proxy that can be broken.
    pub(crate) async fn behind_a_proxy(model: Builder) -> (Self, Proxy) {
        let database = Database::create().await;
        let proxy = Proxy::before(database.address()).await;
        let url = database.url_at(proxy.address());
        let mut bed = Self::asleep(model);
        bed.kept = Some((database, url));
        bed.configure("");
        bed.restart().await;
        (bed, proxy)
    }

    /// Where everything is kept, as a setting says it.
    pub(crate) fn store_url(&self) -> String {
        self.kept.as_ref().map_or_else(|| "sqlite://mosaic.db".to_owned(), |(_, url)| url.clone())
    }

    /// The database on a server, for tests that have asked for one.
    pub(crate) fn server(&self) -> &Database {
        &self.kept.as_ref().expect("this test is kept by PostgreSQL").0
    }

    /// Writes the settings: a provider, two agents, and the tables in `more`.
    pub(crate) fn configure(&self, more: &str) {
        let bind = if more.contains("[gateway]") { "" } else { "[gateway]\nbind = \"127.0.0.1:0\"\nworkers = 2\n" };
        let store = match &self.kept {
            Some((_, url)) if !more.contains("[store]") => format!("[store]\nurl = {url:?}\n"),
            _ => String::new(),
        };
        let url = self.model.base_url();
        let text = format!(
            r#"default_agent = "assistant"
detect = false
{bind}
{store}{more}
[providers.lab]
base_url = "{url}"
models."m-1" = {{ input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0 }}

[agents.assistant]
models = ["lab/m-1"]

[agents.poet]
models = ["lab/m-2"]
system = "You answer in verse."
"#
        );
        self.write_config(&text);
    }

    /// Writes settings as they stand.
    pub(crate) fn write_config(&self, text: &str) {
        std::fs::write(self.home().join("config.toml"), text).expect("the settings can be written");
    }

    /// The home folder.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The file of the database.
    pub(crate) fn database(&self) -> PathBuf {
        self.home().join("mosaic.db")
    }

    /// The owner's token.
    pub(crate) fn token(&self) -> String {
        std::fs::read_to_string(self.home().join("token")).expect("the daemon has made a token").trim().to_owned()
    }

    /// The command, on this home, with nothing of the tester's own surroundings.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mosaic"));
        command.arg("--home").arg(self.home()).args(args);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.home());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Starts the daemon (again) and waits until it is ready.
    pub(crate) async fn restart(&mut self) {
        assert!(self.daemon.is_none(), "the daemon runs already");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_path()).expect("a log");
        let mut child = self.command(&["up"]).stderr(log).spawn().expect("the binary can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut said = String::new();
        let mut address = None;
        soon("the daemon is ready", async {
            // What to do next is the last line of what it says.
            while !said.contains("Try it") && !said.contains("No model provider") {
                let Some(line) = lines.next_line().await.expect("it speaks UTF-8") else {
                    panic!("the daemon did not become ready: {said}\n{}", self.log());
                };
                if let Some((_, at)) = line.split_once("is ready at ").and_then(|(_, url)| url.split_once("://")) {
                    address = Some(at.parse().expect("an address"));
                }
                said += &line;
                said.push('\n');
            }
        })
        .await;
        let address = address.expect("the first line names the address");
        self.daemon = Some(Daemon { child, address, _stdout: lines, said });
    }

    fn running(&self) -> &Daemon {
        self.daemon.as_ref().expect("the daemon runs")
    }

    /// What the daemon said when it was ready.
    pub(crate) fn greeting(&self) -> &str {
        &self.running().said
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.running().address
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.running().child.id().expect("it was not waited for")
    }

    /// Memory that the daemon holds, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a line for resident memory");
        line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number")
    }

    /// The API, as the owner uses it.
    pub(crate) fn api(&self) -> Api {
        Api::new(self.address(), self.token())
    }

    /// Kills the process where it stands.
    pub(crate) async fn kill9(&mut self) {
        let mut daemon = self.daemon.take().expect("the daemon runs");
        daemon.child.kill().await.expect("it can be killed");
    }

    /// Asks it to stop and does not wait.
    pub(crate) fn terminate(&self) {
        signal(self.pid(), "TERM");
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut daemon = self.daemon.take().expect("the daemon runs");
        soon("the daemon ends", daemon.child.wait()).await.expect("it can be waited for")
    }

    /// Asks it to stop and waits for the end.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.terminate();
        self.ended().await
    }

    fn log_path(&self) -> PathBuf {
        self.home().join("daemon.log")
    }

    /// All that the daemon logged so far, over all its lives.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the daemon's log\n{}", self.log());
        }
    }
}

/// Sends a signal to one process.
pub(crate) fn signal(pid: u32, name: &str) {
    let script = format!("kill -s {name} {pid}");
    let sent = std::process::Command::new("sh").args(["-c", &script]).status().expect("there is a shell");
    assert!(sent.success(), "{script}");
}
