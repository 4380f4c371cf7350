//! The socket's side of the stand-in: connections, routes, keys.

use std::net::TcpListener;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::play;
use super::record::{End, Shared};
use super::speech::Wire;
use super::wire;
use crate::request::{Connection, Gone, Request};

/// Accepts until `stopped`; connections die with the runtime.
pub(super) async fn serve(socket: TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let socket = tokio::net::TcpListener::from_std(socket).expect("a bound socket can be served");
    loop {
        tokio::select! {
            accepted = socket.accept() => if let Ok((stream, _)) = accepted {
                shared.progress.send_modify(|progress| progress.connections += 1);
                Handle::current().spawn(converse(stream, shared.clone()));
            },
            _ = &mut stopped => return,
        }
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    // Without it the second small write of a stream waits for the client's ACK.
    let _ = stream.set_nodelay(true);
    let mut connection = Connection::new(stream);
    while let Ok(request) = connection.request().await {
        match route(&mut connection, &request, &shared).await {
            Ok(true) if request.keep_alive => {}
            _ => return,
        }
    }
}

/// Answers one request; tells whether the connection may be used again.
async fn route(connection: &mut Connection, request: &Request, shared: &Shared) -> Result<bool, Gone> {
    let allowed = shared.key.as_deref().is_none_or(|key| request.bears(key));
    let call = if request.method == "POST" { Wire::of_call(&request.path) } else { None };
    if let Some(wire) = call {
        let number = shared.arrived(|| request.headers(), &request.body);
        let end = if allowed {
            play::call(connection, wire, request, number, shared).await
        } else {
            refuse(connection, wire).await.map(|()| End::Answered)
        };
        let end = end.unwrap_or(End::HungUp);
        shared.ended(number, end);
        return Ok(end == End::Answered);
    }
    let list = if request.method == "GET" { Wire::of_list(request) } else { None };
    if !allowed {
        refuse(connection, list.unwrap_or(Wire::OpenAi)).await?;
    } else if let Some(list) = list {
        shared.progress.send_modify(|progress| progress.listed += 1);
        connection.send(&list.models(&shared.models)).await?;
    } else {
        connection.send(&wire::error(404, "not_found", "The stand-in has no such route.")).await?;
    }
    Ok(true)
}

async fn refuse(connection: &mut Connection, on: Wire) -> Result<(), Gone> {
    let (status, content_type, body) = on.refusal(401, "invalid_api_key", "Incorrect API key provided.", false);
    connection.send(&wire::response(status, content_type, &[], body.as_bytes())).await
}
