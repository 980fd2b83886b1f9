//! What a certificate's file says: until when it is good, and for which names.

use std::path::Path;

use hustings_control::ids::UnixMillis;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

pub struct Seen {
    pub from: UnixMillis,
    pub until: UnixMillis,
    first: CertificateDer<'static>,
}

impl Seen {
    /// The first certificate of a PEM file: the node's own.
    ///
    /// # Errors
    /// Why the file cannot be read, in words.
    pub fn read(path: &Path) -> Result<Self, String> {
        let told = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let first = CertificateDer::pem_file_iter(path)
            .map_err(|e| told(&e))?
            .next()
            .ok_or_else(|| told(&"it holds no certificate"))?
            .map_err(|e| told(&e))?;
        let certificate = Certificate::from_der(&first).map_err(|e| told(&e))?;
        let validity = certificate.tbs_certificate().validity();
        let millis = |time: x509_cert::time::Time| {
            UnixMillis(u64::try_from(time.to_unix_duration().as_millis()).unwrap_or(u64::MAX))
        };
        Ok(Self {
            from: millis(validity.not_before),
            until: millis(validity.not_after),
            first,
        })
    }

    /// Whether it is for this host: a name, or an address.
    pub fn is_for(&self, host: &str) -> bool {
        let Ok(name) = ServerName::try_from(host.trim_matches(['[', ']'])) else {
            return false;
        };
        webpki::EndEntityCert::try_from(&self.first)
            .is_ok_and(|certificate| certificate.verify_is_valid_for_subject_name(&name).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_says_its_days_and_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cert.pem");
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params =
            rcgen::CertificateParams::new(vec!["live.example.org".into(), "127.0.0.1".into()])
                .unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 12, 1);
        std::fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
        let seen = Seen::read(&path).unwrap();
        assert_eq!(seen.from.0, 1_767_225_600_000);
        assert_eq!(seen.until.0, 1_796_083_200_000);
        for (host, good) in [
            ("live.example.org", true),
            ("LIVE.example.org", true),
            ("127.0.0.1", true),
            ("example.org", false),
            ("[::1]", false),
            ("no name", false),
        ] {
            assert_eq!(seen.is_for(host), good, "{host}");
        }
        std::fs::write(&path, "no certificate").unwrap();
        assert!(Seen::read(&path).is_err());
    }
}
