//! The process under test, and how much room it takes.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use tokio::time::sleep;

/// For so long it may take to stop: the grace of the settings, and some more.
const STOPS_WITHIN: Duration = Duration::from_secs(60);
/// What memory may grow by from one fifth of the run to its end, beside doubling: sessions, caches and the allocator
/// come to rest in the first minutes.
const SLACK_KIB: u64 = 32 * 1_024;
/// The same for descriptors.
const SLACK_FILES: usize = 32;

pub(crate) struct Daemon {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    process: RefCell<Child>,
    pid: u32,
    /// Kept open: the daemon must not meet a closed pipe.
    _stdout: BufReader<ChildStdout>,
    home: TempDir,
}

/// What a process holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    resident_kib: u64,
    files: usize,
    threads: usize,
}

impl fmt::Display for Size {
    #[allow(clippy::cast_precision_loss)] // a figure, told with three digits
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.resident_kib as f64 / 1_024.0;
        write!(f, "{mib:>6.1} MiB resident, {} files, {} threads", self.files, self.threads)
    }
}

impl Size {
    /// Says whether it has grown since `early` by more than settles.
    pub(crate) fn drifted(&self, early: &Self) -> Result<()> {
        let (memory, files) = (2 * early.resident_kib + SLACK_KIB, early.files + SLACK_FILES);
        ensure!(self.resident_kib <= memory, "memory drifts: {self} at the end, {early} at one fifth of the run");
        ensure!(self.files <= files, "descriptors drift: {self} at the end, {early} at one fifth of the run");
        Ok(())
    }
}

impl Daemon {
    pub(crate) fn start(binary: &Path, model_url: &str) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let config = format!(
            r#"default_agent = "assistant"
detect = false

[gateway]
bind = "127.0.0.1:0"

[log]
level = "warn"

[providers.lab]
base_url = "{model_url}"

[agents.assistant]
models = ["lab/stand-in"]
context_tokens = 4096

[agents.poet]
models = ["lab/stand-in"]
context_tokens = 4096
"#
        );
        std::fs::write(home.path().join("config.toml"), config)?;
        let log = File::create(home.path().join("daemon.log"))?;
        let mut process = Command::new(binary)
            .arg("up")
            .env_clear()
            .env("MOSAIC_HOME", home.path())
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", binary.display()))?;
        let mut stdout = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut line = String::new();
        let address = loop {
            line.clear();
            ensure!(stdout.read_line(&mut line)? > 0, "the daemon ended before it was ready");
            if let Some(address) = line.split("http://").nth(1) {
                break address.trim().parse()?;
            }
        };
        let token = std::fs::read_to_string(home.path().join("token"))?.trim().to_owned();
        Ok(Self { address, token, pid: process.id(), process: RefCell::new(process), _stdout: stdout, home })
    }

    pub(crate) fn size(&self) -> Size {
        let proc = |name: &str| format!("/proc/{}/{name}", self.pid);
        let status = std::fs::read_to_string(proc("status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default()
        };
        let files = std::fs::read_dir(proc("fd")).map_or(0, Iterator::count);
        Size { resident_kib: field("VmRSS:"), files, threads: usize::try_from(field("Threads:")).unwrap_or(usize::MAX) }
    }

    fn ended(&self) -> Result<Option<ExitStatus>> {
        Ok(self.process.borrow_mut().try_wait()?)
    }

    /// Resolves with what is wrong when it ends unasked.
    pub(crate) async fn dies(&self) -> anyhow::Error {
        loop {
            match self.ended() {
                Ok(None) => sleep(Duration::from_millis(500)).await,
                Ok(Some(status)) => return anyhow::anyhow!("the daemon ended by itself, with {status}"),
                Err(error) => return error,
            }
        }
    }

    /// Stops it as an init system does; it must end with 0.
    pub(crate) async fn stop(&self) -> Result<()> {
        let script = format!("kill -s TERM {}", self.pid);
        Command::new("sh").args(["-c", &script]).status().context("there is no shell")?;
        let mut waited = Duration::ZERO;
        while waited < STOPS_WITHIN {
            if let Some(status) = self.ended()? {
                ensure!(status.success(), "the daemon ended with {status}");
                return Ok(());
            }
            let step = Duration::from_millis(50);
            sleep(step).await;
            waited += step;
        }
        bail!("the daemon did not stop within {STOPS_WITHIN:?}")
    }

    /// Leaves the home where it is, for whoever wants to know what happened.
    pub(crate) fn keep(&mut self) -> PathBuf {
        self.home.disable_cleanup(true);
        self.home.path().to_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let process = self.process.get_mut();
        let _ = process.kill();
        let _ = process.wait();
    }
}
