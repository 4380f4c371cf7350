//! PostgreSQL for tests: a database for each, and a server for those that stop it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// Where the server is that tests make their databases on.
const URL: &str = "TEST_DATABASE_URL";

/// The server that `tests/run` has started.
///
/// # Panics
/// Where there is none: a test that needs it must not pass without it.
pub fn url() -> String {
    std::env::var(URL).unwrap_or_else(|_| {
        panic!("{URL} is not set: run tests/run, which starts a PostgreSQL, or name a server of yours with it")
    })
}

/// A database of one test's own, empty at first; dropped with it.
#[derive(Debug)]
pub struct Database {
    server: Config,
    name: String,
}

impl Database {
    /// Makes one on the server at [`url`].
    pub async fn create() -> Self {
        Self::on(&url()).await
    }

    /// Makes one on the server at `url`.
    pub async fn on(url: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server: Config = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        let name = format!("mosaic_test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let client = Connection::open(&server).await.expect("the server for tests can be reached");
        // One that a killed run has left behind may have the same name.
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.expect("it is gone");
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("this user may make databases");
        Self { server, name }
    }

    /// Where it is, as a setting says it.
    pub fn url(&self) -> String {
        self.url_at(self.address())
    }

    /// The same behind something that carries bytes on, as a proxy does.
    pub fn url_at(&self, at: SocketAddr) -> String {
        self.url_as(self.server.get_user().expect("the address names a user"), at)
    }

    /// The same for another user.
    pub fn url_as(&self, user: &str, at: SocketAddr) -> String {
        format!("postgres://{user}@{at}/{}", self.name)
    }

    /// Where its server listens.
    pub fn address(&self) -> SocketAddr {
        address(&self.server)
    }

    /// Asks the database itself; the rows' columns as text, nothing for null.
    pub async fn ask(&self, sql: &str) -> Vec<Vec<String>> {
        let client = self.connect().await;
        let answer = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let text = |row: &tokio_postgres::SimpleQueryRow, at| row.get(at).unwrap_or_default().to_owned();
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|at| text(&row, at)).collect()),
            _ => None,
        };
        answer.into_iter().filter_map(row).collect()
    }

    /// A connection beside those of whoever is tested.
    pub async fn connect(&self) -> Connection {
        Connection::open(self.server.clone().dbname(&self.name)).await.expect("the database can be reached")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A test's own runtime cannot wait here.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                // A server that the test has stopped takes its databases along.
                if let Ok(client) = Connection::open(&server).await {
                    let _ = client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
                }
            });
        });
        let _ = dropping.join();
    }
}

/// A connection of the test's own; what it holds is free when it is dropped.
pub struct Connection {
    client: Client,
    _driver: JoinSet<()>,
}

impl Connection {
    async fn open(server: &Config) -> Result<Self, tokio_postgres::Error> {
        let (client, connection) = server.connect(NoTls).await?;
        let mut driver = JoinSet::new();
        // How it ends is told to whoever asks the client.
        driver.spawn(async move { drop(connection.await) });
        Ok(Self { client, _driver: driver })
    }
}

impl std::ops::Deref for Connection {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

fn address(server: &Config) -> SocketAddr {
    let port = server.get_ports().first().copied().unwrap_or(5432);
    match server.get_hosts().first() {
        Some(tokio_postgres::config::Host::Tcp(host)) => {
            let host = if host == "localhost" { "127.0.0.1" } else { host };
            SocketAddr::new(host.parse().unwrap_or_else(|_| panic!("{URL}: {host} is no IP address")), port)
        }
        other => panic!("{URL} names no host: {other:?}"),
    }
}

/// A server of one test's own, to be stopped and started.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    url: String,
}

impl Server {
    /// Makes one and starts it; it takes some seconds.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = script(&["start", &text(folder.path())]).await;
        Self { folder, url }
    }

    /// Starts it again, at the same address.
    pub async fn restart(&self) {
        script(&["start", &text(self.folder.path())]).await;
    }

    /// Stops it at once, as a crash does.
    pub async fn crash(&self) {
        script(&["stop", &text(self.folder.path()), "immediate"]).await;
    }

    /// Stops it in good order.
    pub async fn stop(&self) {
        script(&["stop", &text(self.folder.path())]).await;
    }

    /// Kills it where it stands: its first process, whose end the others follow.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn kill(&self) {
        let file = self.folder.path().join("data/postmaster.pid");
        let pid = std::fs::read_to_string(file).expect("it runs").lines().next().expect("a process id").to_owned();
        let sent = std::process::Command::new("sh").args(["-c", &format!("kill -s KILL {pid}")]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {pid}");
    }

    /// Where a user without a password may make databases.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificate of those who sign its own.
    pub fn root_certificate(&self) -> PathBuf {
        self.folder.path().join("root.crt")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let folder = text(self.folder.path());
        let _ = std::process::Command::new(path()).args(["stop", &folder, "immediate"]).stderr(Stdio::null()).status();
    }
}

/// The script that knows how a server is made; it is the one that `tests/run` uses.
fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/postgres")
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

async fn script(args: &[&str]) -> String {
    // Not its stderr: the server would keep the pipe open.
    let done = Command::new(path()).args(args).stdin(Stdio::null()).stderr(Stdio::inherit()).output().await;
    let done = done.expect("the script can be run");
    assert!(done.status.success(), "tests/postgres {args:?} failed");
    String::from_utf8(done.stdout).expect("it speaks UTF-8").trim().to_owned()
}
