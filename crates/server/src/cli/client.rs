//! One request to the node's API.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::NodeArgs;

/// A node that does not answer within this is told as not reachable.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Bytes of an answer; the list of a thousand spaces has less than a tenth.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// JSON of the answer; a problem becomes an error with its detail.
pub(super) async fn call(
    node: &NodeArgs,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> anyhow::Result<Value> {
    let file = node.data.join("operator-token");
    let token = std::fs::read_to_string(&file)
        .with_context(|| format!("the operator's token {} cannot be read: is --data the node's folder, and are you its user?", file.display()))?;
    let (tls, authority) = split(&node.stage);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, authority)
        .header(header::AUTHORIZATION, format!("Bearer {}", token.trim()));
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let request = request.body(Full::new(
        body.map(|body| Bytes::from(body.to_string()))
            .unwrap_or_default(),
    ))?;
    let answered = tokio::time::timeout(ANSWER_MAX, async {
        let stream = TcpStream::connect(with_port(authority, tls))
            .await
            .with_context(|| {
                format!(
                    "no node answers at {}: is it running, and is --stage right?",
                    node.stage
                )
            })?;
        if tls {
            send(
                secure(stream, authority, node.ca.as_deref()).await?,
                request,
            )
            .await
        } else {
            send(stream, request).await
        }
    });
    let (status, body) = answered.await.with_context(|| {
        format!(
            "the node at {} did not answer within {} s",
            node.stage,
            ANSWER_MAX.as_secs()
        )
    })??;
    let json = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&body).with_context(|| {
            format!(
                "{} did not answer with JSON (status {status}): is this a Hustings stage listener?",
                node.stage
            )
        })?
    };
    if status.is_success() {
        return Ok(json);
    }
    match json.get("detail").and_then(Value::as_str) {
        Some(detail) => bail!("{detail}"),
        None => bail!("the node answered with status {status}"),
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(hyper::StatusCode, Bytes)> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|e| anyhow::anyhow!(e))?;
        anyhow::Ok((status, body.to_bytes()))
    };
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        closed = connection => match closed {
            // The connection may be over before its last bytes are looked at.
            Ok(()) => answer.await,
            Err(error) => Err(error).context("the connection to the node broke"),
        },
    }
}

async fn secure(
    stream: TcpStream,
    authority: &str,
    ca: Option<&Path>,
) -> anyhow::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let ca = ca.context(
        "https needs --ca with the certificates to trust, such as the node's own --tls-cert file",
    )?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)
        .with_context(|| format!("{} cannot be read as PEM", ca.display()))?
    {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host)
        .trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned()).context("--stage names no host")?;
    tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .context("the node's certificate is not trusted by --ca")
}

/// Whether TLS, and host with port.
fn split(stage: &str) -> (bool, &str) {
    let (tls, rest) = match stage.split_once("://") {
        Some((scheme, rest)) => (scheme.eq_ignore_ascii_case("https"), rest),
        None => (false, stage),
    };
    (tls, rest.split('/').next().unwrap_or(rest))
}

fn with_port(authority: &str, tls: bool) -> String {
    let after_brackets = authority.rsplit(']').next().unwrap_or(authority);
    if after_brackets.contains(':') {
        authority.to_owned()
    } else {
        format!("{authority}:{}", if tls { 443 } else { 80 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_urls_are_understood() {
        assert_eq!(split("127.0.0.1:8082"), (false, "127.0.0.1:8082"));
        assert_eq!(
            split("https://stage.example.org/x"),
            (true, "stage.example.org")
        );
        assert_eq!(
            with_port("stage.example.org", true),
            "stage.example.org:443"
        );
        assert_eq!(with_port("[::1]:8082", false), "[::1]:8082");
        assert_eq!(with_port("[::1]", false), "[::1]:80");
    }
}
