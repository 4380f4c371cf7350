//! Commands: run to their end, or watched while they run.

use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdout, Command};

use super::{signal, soon};

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None`: a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Its output, where it succeeded and had nothing to complain about but a machine that is too busy for it.
    pub(crate) fn good(self) -> String {
        let complaints: Vec<&str> = self.stderr.lines().filter(|line| !line.contains("::watchdog: ")).collect();
        assert_eq!((self.code, complaints), (Some(0), Vec::new()), "{}", self.stdout);
        self.stdout
    }

    /// Whether it ended by a panic.
    pub(crate) fn panicked(&self) -> bool {
        self.code == Some(101) || self.stderr.contains("panicked")
    }
}

/// Runs a command to its end, with `input` on its stdin.
pub(crate) async fn run(mut command: Command, input: &str) -> Ended {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary can be started");
    let mut stdin = child.stdin.take().expect("it is piped");
    // A command that does not read its input is free not to.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = soon("the command ends", child.wait_with_output()).await.expect("its output can be read");
    ended(output.status.code(), output.stdout, output.stderr)
}

fn ended(code: Option<i32>, stdout: Vec<u8>, stderr: Vec<u8>) -> Ended {
    let text = |bytes| String::from_utf8(bytes).expect("it speaks UTF-8");
    Ended { code, stdout: text(stdout), stderr: text(stderr) }
}

/// A command that is watched while it runs.
pub(crate) struct Talk {
    child: Child,
    stdout: Option<ChildStdout>,
    seen: Vec<u8>,
}

impl Talk {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the binary can be started");
        let stdout = child.stdout.take();
        Self { child, stdout, seen: Vec::new() }
    }

    /// Waits until it has said so much.
    pub(crate) async fn until(&mut self, text: &str) {
        let said = |seen: &[u8]| String::from_utf8_lossy(seen).contains(text);
        let reading = async {
            while !said(&self.seen) {
                let stdout = self.stdout.as_mut().expect("stdout is open");
                let read = stdout.read_buf(&mut self.seen).await.expect("it can be read");
                assert_ne!(read, 0, "it ended without {text:?}: {:?}", String::from_utf8_lossy(&self.seen));
            }
        };
        soon(&format!("the command says {text:?}"), reading).await;
    }

    /// What it said so far.
    pub(crate) fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id().expect("it runs"), name);
    }

    /// Closes the reading end of its stdout, as `| head` does.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> Ended {
        self.child.stdout = self.stdout.take();
        let output = soon("the command ends", self.child.wait_with_output()).await.expect("its output can be read");
        self.seen.extend_from_slice(&output.stdout);
        ended(output.status.code(), self.seen, output.stderr)
    }
}
