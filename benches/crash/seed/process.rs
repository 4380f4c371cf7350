//! The process under test: started, told to stop, killed, and watched for how it ended.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, timeout};

use super::phone::TOKEN_ENV;

/// For so long a start may take on a machine that does much else.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// For so long a stop may take: the grace of the settings, and some more.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// SIGKILL, and SIGABRT, by which a process ends itself.
const KILLED: i32 = 9;
const ABORTED: i32 = 6;

/// Where a daemon listens, and what opens it.
#[derive(Debug, Clone)]
pub(crate) struct At {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
}

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Killed,
    /// At its kill point.
    Died,
    /// In good order.
    Stopped,
}

pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) began: Instant,
}

impl Process {
    /// Starts the daemon on `home`, to die as `order` says.
    pub(crate) fn start(binary: &Path, home: &Path, order: Option<&str>) -> Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(home.join("daemon.log"))?;
        let mut command = Command::new(binary);
        command.arg("up").env_clear().env("MOSAIC_HOME", home).env("PATH", "/usr/bin:/bin");
        command.envs([TOKEN_ENV]).envs(order.map(|order| ("MOSAIC_DIE_AT", order)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let began = Instant::now();
        let mut child = command.spawn().with_context(|| format!("{} cannot be started", binary.display()))?;
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Ok(Self { child, lines, began })
    }

    /// Waits until it is ready; `None`: it ended before. Answers also how many sessions it goes on with.
    pub(crate) async fn ready(&mut self, home: &Path) -> Result<Option<(At, usize)>> {
        let reading = async {
            let (mut address, mut resumed) = (None, 0);
            while let Some(line) = self.lines.next_line().await? {
                if let Some((_, at)) = line.split_once("is ready at http://") {
                    address = Some(at.trim().parse()?);
                } else if let Some((_, count)) = line.split_once("go on where they were cut off: ") {
                    resumed = count.trim().parse()?;
                } else if line.contains("Try it") {
                    let token = std::fs::read_to_string(home.join("token"))?.trim().to_owned();
                    let address = address.context("it did not say where it listens")?;
                    return Ok(Some((At { address, token }, resumed)));
                }
            }
            Ok(None)
        };
        timeout(STARTS_WITHIN, reading).await.with_context(|| format!("not ready within {STARTS_WITHIN:?}"))?
    }

    /// Asks it to stop, as an init system does.
    pub(crate) fn terminate(&self) -> Result<()> {
        // It may just have died.
        let Some(pid) = self.child.id() else { return Ok(()) };
        let sent = std::process::Command::new("sh").args(["-c", &format!("kill -s TERM {pid}")]).status();
        sent.map(drop).context("there is no shell")
    }

    /// Kills it where it stands.
    pub(crate) async fn kill(&mut self) -> Result<End> {
        let _ = self.child.start_kill();
        self.ended().await
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> Result<End> {
        let status = timeout(STOPS_WITHIN, self.child.wait()).await;
        how(status.with_context(|| format!("the daemon did not end within {STOPS_WITHIN:?}"))??)
    }
}

fn how(status: ExitStatus) -> Result<End> {
    match status.signal() {
        Some(KILLED) => Ok(End::Killed),
        Some(ABORTED) => Ok(End::Died),
        Some(other) => bail!("the daemon was ended by signal {other}"),
        None => {
            ensure!(status.success(), "the daemon ended by itself, with {status}");
            Ok(End::Stopped)
        }
    }
}
