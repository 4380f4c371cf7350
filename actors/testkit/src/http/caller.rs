//! Somebody who calls a daemon's API with a token, JSON in and JSON out.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::{Client, Response};

/// For so long one request may take.
const REQUEST: Duration = Duration::from_secs(60);

/// A caller; it goes on with its connection while that is good.
#[derive(Debug)]
pub struct Caller {
    address: SocketAddr,
    bearer: String,
    connection: Option<Client>,
}

impl Caller {
    /// One who has not called yet.
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self { address, bearer: format!("Bearer {token}"), connection: None }
    }

    /// Sends a request and reads its whole answer; `body` is null where there is none.
    ///
    /// # Errors
    /// The connection could not be made, or ended early; or a minute is over.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> io::Result<Response> {
        let mut all = vec![("authorization", self.bearer.as_str()), ("content-type", "application/json")];
        all.extend_from_slice(headers);
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let (before, address) = (self.connection.take(), self.address);
        let asking = async {
            let mut connection = match before {
                Some(connection) => connection,
                None => Client::connect(address).await?,
            };
            let answer = connection.request(method, path, &all, &body).await?;
            Ok::<_, io::Error>((connection, answer))
        };
        let (connection, answer) = timeout(REQUEST, asking).await??;
        self.connection = Some(connection);
        Ok(answer)
    }
}
