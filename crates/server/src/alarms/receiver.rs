//! Whoever takes the alarms: reached by plain HTTP or TLS, each message signed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws_lc_rs::hmac;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hustings_control::ids::UnixMillis;
use hyper::{Method, Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::api::secrets;

/// Bytes of an answer that are read, so that the connection ends in order; what it says is not looked at.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;
/// Where systems keep the certificates they trust; `--alarm-webhook-ca` names another file.
const TRUSTED: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// The secret's file under the data folder; made when it is missing.
pub(super) const SECRET_FILE: &str = "webhook-secret";

/// How patient it is. Tests are less so.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one try, from connecting to the answer.
    pub try_for: Duration,
    /// Between two tries: twice as long after each that failed, between these.
    pub again_min: Duration,
    pub again_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            try_for: Duration::from_secs(10),
            again_min: Duration::from_secs(1),
            again_max: Duration::from_secs(60),
        }
    }
}

/// Where messages go, and how they are signed.
pub struct Receiver {
    host: String,
    port: u16,
    tls: Option<tokio_rustls::TlsConnector>,
    path: String,
    key: hmac::Key,
    pub(super) patience: Patience,
}

impl Receiver {
    /// # Errors
    /// When the URL is none, the secret cannot be read, or no certificates are trusted; the message says what to do.
    pub fn open(
        url: &Uri,
        data: &Path,
        ca: Option<&Path>,
        patience: Patience,
    ) -> anyhow::Result<Self> {
        let authority = url
            .authority()
            .context("--alarm-webhook needs a whole URL, such as https://example.org/hook")?;
        let tls = match url.scheme_str() {
            Some("https") => Some(trusting(ca)?),
            Some("http") => None,
            _ => anyhow::bail!("--alarm-webhook begins with https:// or http://"),
        };
        let port = url
            .port_u16()
            .unwrap_or(if tls.is_some() { 443 } else { 80 });
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port,
            tls,
            path: path.to_owned(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &secret(data)?),
            patience,
        })
    }

    /// One try.
    ///
    /// # Errors
    /// Why it was not taken, in words without the URL's path, which may be a secret.
    pub async fn tell(&self, body: &Value, now: UnixMillis) -> Result<(), String> {
        let told = tokio::time::timeout(self.patience.try_for, self.post(body, now));
        match told.await {
            Ok(told) => told,
            Err(_) => Err(format!(
                "no answer within {:.1} s",
                self.patience.try_for.as_secs_f64()
            )),
        }
    }

    async fn post(&self, body: &Value, now: UnixMillis) -> Result<(), String> {
        let body = body.to_string();
        let seconds = now.0 / 1_000;
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.path)
            .header(header::HOST, format!("{}:{}", self.host, self.port))
            .header(header::CONTENT_TYPE, "application/json")
            .header(
                header::USER_AGENT,
                concat!("hustings/", env!("CARGO_PKG_VERSION")),
            )
            .header("Hustings-Signature", sign(&self.key, seconds, &body))
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| e.to_string())?;
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|e| format!("it cannot be reached: {e}"))?;
        let status = match &self.tls {
            None => send(tcp, request).await?,
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).map_err(|e| e.to_string())?;
                let stream = tls.connect(name, tcp).await;
                send(stream.map_err(|e| format!("TLS: {e}"))?, request).await?
            }
        };
        if status.is_success() {
            Ok(())
        } else {
            Err(format!("it answered {status}"))
        }
    }
}

/// `t=SECONDS,v1=HEX`: HMAC-SHA256 of `SECONDS.BODY`, so that an old message cannot be sent again as a new one.
pub(super) fn sign(key: &hmac::Key, seconds: u64, body: &str) -> String {
    let tag = hmac::sign(key, format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={}", secrets::to_hex(tag.as_ref()))
}

/// 64 hex digits; the receiver is given the same.
fn secret(data: &Path) -> anyhow::Result<Vec<u8>> {
    let path = data.join(SECRET_FILE);
    if !path.exists() {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|e| anyhow::anyhow!("the system gives no randomness: {e}"))?;
        secrets::write(&path, &format!("{}\n", secrets::to_hex(&bytes)))?;
    }
    // What the receiver is given is the text itself.
    Ok(secrets::read_private(&path)?.trim().as_bytes().to_vec())
}

fn trusting(ca: Option<&Path>) -> anyhow::Result<tokio_rustls::TlsConnector> {
    let system = || TRUSTED.iter().map(PathBuf::from).find(|path| path.exists());
    let file = ca.map(Path::to_owned).or_else(system).context(
        "this system has no file of trusted certificates; name one with --alarm-webhook-ca",
    )?;
    let mut roots = rustls::RootCertStore::empty();
    let all = CertificateDer::pem_file_iter(&file)
        .with_context(|| format!("{} cannot be read as PEM", file.display()))?;
    for certificate in all {
        // Of a system's many some may be of a kind that is not known here.
        let _ = roots.add(certificate?);
    }
    anyhow::ensure!(
        !roots.is_empty(),
        "{} holds no certificate that can be trusted",
        file.display()
    );
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let broke = |e: hyper::Error| format!("the connection broke: {e}");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broke)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(broke)?;
        let status = response.status();
        // An answer that is too long or breaks off is an answer all the same.
        let _ = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        Ok(status)
    };
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        ended = connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(broke(error)),
        },
    }
}
