//! Certificate and key from files, read again when they change. Connections that stand are not touched.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::ProducesTickets;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate chain and its key, as files and as the configuration that new connections get.
pub struct TlsFiles {
    cert: PathBuf,
    key: PathBuf,
    config: ArcSwap<ServerConfig>,
    protocols: &'static [&'static [u8]],
    /// How the files looked when they were last tried, good or bad.
    tried: Mutex<Stamps>,
    tickets: Arc<dyn ProducesTickets>,
}

/// What a look at the files came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reload {
    Unchanged,
    Reloaded,
    /// The new files are no good, for this reason; the old ones stay in use.
    Kept(String),
}

type Stamps = [Option<(SystemTime, u64)>; 2];

impl TlsFiles {
    /// Reads both files; the error names the file and what is wrong with it. Connections speak HTTP/1.1.
    pub fn load(cert: PathBuf, key: PathBuf) -> Result<Self, String> {
        Self::offering(cert, key, &[b"http/1.1"])
    }

    /// The same for connections that may choose one of `protocols` (ALPN, RFC 7301), the dearest first.
    pub fn offering(
        cert: PathBuf,
        key: PathBuf,
        protocols: &'static [&'static [u8]],
    ) -> Result<Self, String> {
        let tried = Mutex::new(stamps(&cert, &key));
        let tickets = aws_lc_rs::Ticketer::new()
            .map_err(|e| format!("session tickets cannot be made: {e}"))?;
        let config = ArcSwap::new(configure(&cert, &key, &tickets, protocols)?);
        Ok(Self {
            cert,
            key,
            config,
            protocols,
            tried,
            tickets,
        })
    }

    /// The newest good configuration.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// Looks whether a file has changed since the last look, and takes the new ones if they are good. Files that are
    /// no good are said once in the log, not at each look.
    pub fn reload_if_changed(&self) -> Reload {
        let now = stamps(&self.cert, &self.key);
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if *tried == now {
            return Reload::Unchanged;
        }
        *tried = now;
        match configure(&self.cert, &self.key, &self.tickets, self.protocols) {
            Ok(config) => {
                self.config.store(config);
                tracing::info!(cert = %self.cert.display(), "TLS certificate reloaded");
                Reload::Reloaded
            }
            Err(why) => {
                tracing::error!("the new TLS files cannot be used, the old ones stay: {why}");
                Reload::Kept(why)
            }
        }
    }
}

fn configure(
    cert: &Path,
    key: &Path,
    tickets: &Arc<dyn ProducesTickets>,
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, String> {
    let bad_cert = |e: pem::Error| format!("{}: {}", cert.display(), in_words(&e, "certificate"));
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .map_err(bad_cert)?
        .collect::<Result<_, _>>()
        .map_err(bad_cert)?;
    if chain.is_empty() {
        return Err(format!("{}: holds no PEM certificate", cert.display()));
    }
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|e| format!("{}: {}", key.display(), in_words(&e, "private key")))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|e| format!("{} with {}: {e}", cert.display(), key.display()))?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config.ticketer = Arc::clone(tickets);
    // One is enough for a client that comes back; each costs bytes and time at every handshake.
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

fn in_words(error: &pem::Error, wanted: &str) -> String {
    match error {
        pem::Error::NoItemsFound => format!("holds no PEM {wanted}"),
        pem::Error::Io(e) => format!("cannot be read: {e}"),
        other => format!("is no good PEM file: {other}"),
    }
}

fn stamps(cert: &Path, key: &Path) -> Stamps {
    [cert, key].map(|path| {
        let about = std::fs::metadata(path).ok()?;
        Some((about.modified().ok()?, about.len()))
    })
}

/// Whether a handshake failed as a browser's may, whatever its user wants: it spoke HTTP here (a link with `http://`), or did not
/// believe the certificate and said so.
pub(super) fn is_a_browsers(error: &std::io::Error) -> bool {
    let why = error.get_ref().and_then(|why| why.downcast_ref());
    matches!(
        why,
        Some(
            rustls::Error::AlertReceived(_)
                | rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
        let made =
            rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("a certificate");
        let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
        std::fs::write(&cert, made.cert.pem()).expect("written");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
        (cert, key)
    }

    fn touch(path: &Path, seconds: u64) {
        let file = std::fs::File::options()
            .append(true)
            .open(path)
            .expect("there");
        file.set_modified(SystemTime::now() + std::time::Duration::from_secs(seconds))
            .expect("set");
    }

    #[test]
    fn changed_files_are_taken_and_bad_ones_are_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let (cert, key) = write(dir.path(), "one.example");
        let files = TlsFiles::load(cert.clone(), key.clone()).expect("good files");
        let first = files.config();
        assert_eq!(files.reload_if_changed(), Reload::Unchanged);
        write(dir.path(), "two.example");
        touch(&cert, 10);
        assert_eq!(files.reload_if_changed(), Reload::Reloaded);
        let second = files.config();
        assert!(!Arc::ptr_eq(&first, &second));
        std::fs::write(&cert, "no certificate").expect("written");
        touch(&cert, 20);
        let Reload::Kept(why) = files.reload_if_changed() else {
            panic!("a bad file was taken")
        };
        assert!(
            why.contains("cert.pem") && why.contains("holds no PEM certificate"),
            "{why}"
        );
        assert!(Arc::ptr_eq(&second, &files.config()));
        assert_eq!(files.reload_if_changed(), Reload::Unchanged, "said once");
        std::fs::remove_file(&key).expect("removed");
        assert!(matches!(files.reload_if_changed(), Reload::Kept(_)));
        write(dir.path(), "three.example");
        touch(&cert, 30);
        assert_eq!(files.reload_if_changed(), Reload::Reloaded);
    }

    #[test]
    fn errors_name_the_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let (cert, key) = write(dir.path(), "one.example");
        let other = tempfile::tempdir().expect("a folder");
        let (_, strange) = write(other.path(), "one.example");
        let missing = dir.path().join("missing.pem");
        let why = |cert: &PathBuf, key: &PathBuf| {
            TlsFiles::load(cert.clone(), key.clone())
                .err()
                .expect("refused")
        };
        assert!(
            why(&missing, &key).contains("missing.pem: cannot be read"),
            "{}",
            why(&missing, &key)
        );
        assert!(
            why(&cert, &missing).contains("missing.pem: cannot be read"),
            "{}",
            why(&cert, &missing)
        );
        assert!(
            why(&cert, &cert).contains("cert.pem: holds no PEM private key"),
            "{}",
            why(&cert, &cert)
        );
        assert!(
            why(&cert, &strange).contains("cert.pem with "),
            "{}",
            why(&cert, &strange)
        );
    }
}
