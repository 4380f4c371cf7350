//! What every request must be before anyone asks who sent it: spoken to this daemon by its own name, by no page of
//! another site, and over a way that nobody can read along.

mod host;
mod lockout;
mod peer;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::HttpRequest;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use mosaic_types::{Code, Failure};
use tokio::time::Instant;

use super::config::GatewayConfig;
use super::error::ApiError;
use host::Names;
pub(super) use host::split;
pub(super) use lockout::Class;
use lockout::Lockout;
pub(super) use peer::Peer;

/// The rules for whoever comes, and who has failed too often. One for all lives of the listener.
pub(super) struct Border {
    names: Names,
    bound: IpAddr,
    proxies: Vec<IpAddr>,
    tls: bool,
    public: Option<String>,
    lockout: Mutex<Lockout>,
}

impl Border {
    pub(super) fn new(config: &GatewayConfig) -> Self {
        Self {
            names: Names::new(config.bind.ip(), &config.hosts, &config.origins),
            bound: config.bind.ip().to_canonical(),
            proxies: config.trusted_proxies.clone(),
            tls: config.tls.is_some(),
            public: config.public_url(),
            lockout: Mutex::default(),
        }
    }

    /// The border of the server that this request came to.
    pub(super) fn of(request: &HttpRequest) -> &Self {
        request.app_data::<Data<Self>>().expect("the border is set where the server is made")
    }

    /// Who is at the other end, beyond proxies that are trusted.
    pub(super) fn peer(&self, request: &HttpRequest) -> Peer {
        let socket = request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip());
        let all = |name: &str| -> Vec<&str> {
            request.headers().get_all(name).filter_map(|value| value.to_str().ok()).collect()
        };
        Peer::find(
            socket,
            self.tls,
            &self.proxies,
            || all("x-forwarded-for").join(","),
            || all("x-forwarded-proto").join(","),
        )
    }

    /// Where the one who asks finds this daemon, or where people do if it was asked on its own machine.
    pub(super) fn base(&self, request: &HttpRequest) -> String {
        let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
        let here = split(host).is_none_or(|(host, _)| !self.names.is_public(&host));
        match &self.public {
            Some(public) if here => public.clone(),
            _ => format!("{}://{host}", if self.peer(request).secure { "https" } else { "http" }),
        }
    }

    fn check(&self, request: &HttpRequest) -> Result<(), Failure> {
        let socket = request.peer_addr().map(|address| address.ip());
        if !self.tls && !socket.is_some_and(|socket| peer::may_speak_plainly(socket, self.bound, &self.proxies)) {
            let sentence = "Plain HTTP is spoken here only with the proxies in gateway.trusted_proxies.";
            return Err(Failure::new(Code::ForbiddenPeer, sentence));
        }
        let one = |name: &str| {
            let mut all = request.headers().get_all(name).map(|value| value.to_str().unwrap_or("?"));
            (all.next(), all.next().is_some())
        };
        let host = match one("host") {
            (Some(host), false) => host,
            _ => return Err(Failure::new(Code::ForbiddenHost, "Send one Host header, with this daemon's name.")),
        };
        self.names.host(host)?;
        if let Some(authority) = request.uri().authority() {
            // What stands in the request line goes before the header, for whoever looks at it.
            self.names.host(authority.as_str())?;
        }
        match one("origin") {
            (None, _) => Ok(()),
            (Some(origin), false) => self.names.origin(origin, host),
            (Some(_), true) => self.names.origin("several", host),
        }
    }

    fn lockout(&self) -> MutexGuard<'_, Lockout> {
        self.lockout.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether someone at this address may try at all.
    ///
    /// # Errors
    /// `locked_out`, with the time until then.
    pub(super) fn may_try(&self, request: &HttpRequest, class: Class) -> Result<(), Failure> {
        let address = self.peer(request).address;
        match self.lockout().locked(address, class, Instant::now()) {
            None => Ok(()),
            Some(wait) => {
                let sentence = "Too many attempts failed from this address. Wait a minute, then try again.";
                Err(Failure::new(Code::LockedOut, sentence).after(wait))
            }
        }
    }

    /// Notes that a try failed. Answers with `why`, or that there were too many.
    pub(super) fn failed(&self, request: &HttpRequest, class: Class, why: Failure) -> Failure {
        if let Err(locked) = self.may_try(request, class) {
            return locked;
        }
        let address = self.peer(request).address;
        self.lockout().failed(address, class, Instant::now());
        why
    }
}

/// What every answer says, unless it says otherwise itself.
const HEADERS: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
];

fn protect(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        let name = HeaderName::from_static(name);
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// Lets a request in, or refuses it before anything else looks at it.
pub(super) async fn pass<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let refused = Border::of(request.request()).check(request.request()).err();
    let mut response = match refused {
        None => next.call(request).await?.map_into_left_body(),
        Some(refused) => {
            let mut response = request.error_response(ApiError(refused));
            response.response_mut().head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
            response.map_into_right_body()
        }
    };
    protect(response.headers_mut());
    Ok(response)
}
