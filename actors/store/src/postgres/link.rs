//! One connection: how it is opened, how it is given up, and what is known of the server's side of it.

use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_query;
use diesel::sql_types::{Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{CancelToken, NoTls, Socket};

use super::dialect::Conn;
use super::place::Place;
use crate::StoreError;

/// After the first attempt that failed, others are made for so long: a server that is restarted may be back by then,
/// and whoever waits wants to know.
const RECONNECT: Duration = Duration::from_secs(2);

/// Pauses between attempts: doubling from one to the other, less up to half by chance, so that the daemons of a house
/// do not all knock at once.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// An undoing, or an order to stop, is answered at once or not at all.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What every connection is told first. A transaction that its daemon has left without a word holds its locks no
/// longer than this; and what is acknowledged is on the disk, whatever the server does for others.
const SETTINGS: &str = "SET idle_in_transaction_session_timeout = '5s'; SET default_transaction_isolation = 'read \
                        committed'; SELECT set_config('synchronous_commit', 'on', false) WHERE \
                        current_setting('synchronous_commit') = 'off'";

/// A session of the server's.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub(super) struct Backend {
    #[diesel(sql_type = Integer)]
    pub pid: i32,
    #[diesel(sql_type = Text)]
    pub began: String,
    /// When the server began: after a restart, what it says of old transactions is not to be trusted.
    #[diesel(sql_type = Text)]
    pub server: String,
}

/// A connection. Dropping it closes it, whatever is under way on it.
pub(super) struct Link {
    conn: AsyncPgConnection,
    driver: Driver,
    cancel: CancelToken,
    place: Place,
    pub backend: Backend,
}

impl Link {
    /// Opens a connection, trying again for a while.
    pub(super) async fn open(place: &Place, deadline: Instant) -> Result<Self, StoreError> {
        let deadline = deadline.min(Instant::now() + RECONNECT);
        let mut pause = PAUSES.0;
        loop {
            let failed = match timeout_at(deadline, Self::try_open(place)).await {
                Ok(Ok(link)) => return Ok(link),
                Ok(Err(error @ StoreError::Away(_))) => error,
                Ok(Err(error)) => return Err(error),
                Err(_) => StoreError::Away("it did not answer in time".into()),
            };
            let wait = pause.mul_f64(1.0 - 0.5 * chance());
            if Instant::now() + wait >= deadline {
                return Err(failed);
            }
            sleep(wait).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn try_open(place: &Place) -> Result<Self, StoreError> {
        match &place.tls {
            Some(tls) => Self::connect(place, tokio_postgres_rustls::MakeRustlsConnect::new(tls.config()?)).await,
            None => Self::connect(place, NoTls).await,
        }
    }

    async fn connect<T>(place: &Place, tls: T) -> Result<Self, StoreError>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let (client, connection) = place.config.connect(tls).await.map_err(|error| refused(&error))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to PostgreSQL has ended");
            }
        });
        let cancel = client.cancel_token();
        let conn = AsyncPgConnection::try_from(client).await.map_err(|error| StoreError::Away(error.to_string()))?;
        execute(&mut &conn, SETTINGS).await?;
        let about = "SELECT pid, backend_start::text AS began, pg_postmaster_start_time()::text AS server FROM \
                     pg_stat_activity WHERE pid = pg_backend_pid()";
        let backend = sql_query(about).get_result(&mut &conn).await?;
        Ok(Self { conn, driver, cancel, place: place.clone(), backend })
    }

    /// The bare connection, which lives as long as the other part.
    pub(super) fn into_parts(self) -> (AsyncPgConnection, Driver) {
        (self.conn, self.driver)
    }

    pub(super) fn conn(&self) -> Conn<'_> {
        &self.conn
    }

    /// Rolls back whatever is open. `false`: the connection is of no use any more.
    pub(super) async fn undo(&self) -> bool {
        matches!(timeout(AT_ONCE, execute(&mut self.conn(), "ROLLBACK")).await, Ok(Ok(())))
    }

    /// Gives the connection up, and asks the server to end what it still does for it.
    pub(super) async fn give_up(self) {
        let cancel = async {
            match &self.place.tls {
                Some(tls) => {
                    let Ok(config) = tls.config() else { return };
                    let _ = self.cancel.cancel_query(tokio_postgres_rustls::MakeRustlsConnect::new(config)).await;
                }
                None => drop(self.cancel.cancel_query(NoTls).await),
            }
        };
        let _ = timeout(AT_ONCE, cancel).await;
    }

    /// Ends another session of this user's, if it is still there: whatever it held is free then.
    pub(super) async fn end(&self, other: &Backend) -> Result<(), StoreError> {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2";
        sql_query(end)
            .bind::<Integer, _>(other.pid)
            .bind::<Text, _>(other.began.clone())
            .execute(&mut self.conn())
            .await?;
        Ok(())
    }
}

/// Moves what is sent and what comes. With it the connection ends, also one that hangs.
pub(super) type Driver = JoinSet<()>;

/// Runs statements that answer nothing.
pub(super) async fn execute(conn: &mut Conn<'_>, statements: &str) -> Result<(), StoreError> {
    Ok(conn.batch_execute(statements).await?)
}

/// From 0 to 1. Only spreads knocks over time, so the low bits of the clock are chance enough.
fn chance() -> f64 {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    f64::from(nanos % 1_000) / 1_000.0
}

/// Why a connection was not to be had: because the server is away, or because it does not want us.
fn refused(error: &tokio_postgres::Error) -> StoreError {
    let why = match error.as_db_error() {
        Some(told) => told.message().to_owned(),
        None => causes(error),
    };
    let wrong = [
        SqlState::INVALID_PASSWORD,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        SqlState::INVALID_CATALOG_NAME,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    if error.code().is_some_and(|code| wrong.contains(code)) || why.contains("password missing") {
        StoreError::Login(why)
    } else {
        StoreError::Away(why)
    }
}

/// An error with what caused it: the library's own words alone are "error connecting to server".
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    text
}
