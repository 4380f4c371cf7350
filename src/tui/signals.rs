//! Signals: an order to leave gives the terminal back first.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Sender;

use super::model::News;
use super::terminal;

/// A screen that is stuck, since its terminal takes nothing any more, is not waited for longer.
const STUCK: Duration = Duration::from_secs(2);

/// Listens for as long as it is polled.
pub(super) async fn listen(news: Sender<News>) {
    let (mut interrupt, mut terminate, mut hang_up, mut resized) = (
        on(SignalKind::interrupt()),
        on(SignalKind::terminate()),
        on(SignalKind::hangup()),
        on(SignalKind::window_change()),
    );
    let mut another_size = false;
    let code = loop {
        tokio::select! {
            () = next(&mut interrupt) => break 130,
            () = next(&mut terminate) => break 143,
            () = next(&mut hang_up) => break 129,
            () = next(&mut resized) => another_size = true,
            Ok(room) = news.reserve(), if another_size => {
                room.send(News::Resized);
                another_size = false;
            }
        }
    };
    let told = tokio::time::timeout(STUCK, async {
        if news.send(News::Stop).await.is_ok() {
            news.closed().await;
        }
    });
    if told.await.is_err() {
        terminal::give_up();
        std::process::exit(code);
    }
}

fn on(kind: SignalKind) -> Option<Signal> {
    signal(kind).ok()
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
