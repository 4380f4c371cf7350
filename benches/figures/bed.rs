//! The real binary with a stand-in for its provider.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mosaic_testkit::StandIn;
use mosaic_testkit::http::Client;
use tempfile::TempDir;

pub(crate) struct Bed {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    pub(crate) home: TempDir,
    /// From the start of the process until it said that it is ready.
    pub(crate) ready_after: Duration,
    process: Child,
}

/// A home whose agent asks `upstream`.
pub(crate) fn home(upstream: &StandIn) -> TempDir {
    let home = tempfile::tempdir().expect("a folder");
    let config = format!(
        "[gateway]\nbind = \"127.0.0.1:0\"\n[log]\nlevel = \"warn\"\n[providers.up]\nbase_url = \"{}\"\n\
         max_in_flight = 1000\n[agents.assistant]\nmodels = [\"up/stand-in\"]\ncontext_tokens = 4096\n",
        upstream.base_url()
    );
    std::fs::write(home.path().join("config.toml"), config).expect("the config is written");
    home
}

impl Bed {
    pub(crate) fn start(home: TempDir) -> Self {
        Self::start_with(home, Stdio::inherit())
    }

    /// With its log going to `stderr`.
    pub(crate) fn start_with(home: TempDir, stderr: Stdio) -> Self {
        Self::start_in(home, stderr, &[])
    }

    /// The same, in an environment of its own.
    pub(crate) fn start_in(home: TempDir, stderr: Stdio, env: &[(&str, &str)]) -> Self {
        let began = Instant::now();
        let mut command = command(home.path(), &["up"]);
        command.envs(env.iter().copied()).stdout(Stdio::piped()).stderr(stderr);
        let mut process = command.spawn().expect("the binary starts");
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| line.split("http://").nth(1).and_then(|rest| rest.trim().parse().ok()))
            .expect("the daemon says where it listens");
        let ready_after = began.elapsed();
        let token = std::fs::read_to_string(home.path().join("token")).expect("the home has a token");
        Self { address, token: token.trim().to_owned(), home, ready_after, process }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address).await.expect("the daemon accepts")
    }

    /// CPU that the daemon used so far, all threads.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("it runs");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u64 = [11, 12].iter().filter_map(|field| fields.get(*field)?.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Resident memory in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a line for resident memory");
        line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number")
    }

    /// Ends the daemon as a machine without power would, and keeps its home.
    pub(crate) fn stop(mut self) -> TempDir {
        let _ = self.process.kill();
        let _ = self.process.wait();
        std::mem::replace(&mut self.home, tempfile::tempdir().expect("a folder"))
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn command(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mosaic"));
    command.args(args).env_clear().env("MOSAIC_HOME", home).env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

/// Runs the load on this thread; the upstream has one of its own, the daemon its own process.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, work)
}
