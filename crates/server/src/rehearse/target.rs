//! Where a rehearsal goes, and by whose leave: to this machine, or with a permit of the target's own.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use hustings_control::ids::UnixMillis;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::rehearsal::{Permit, target_of};

/// Debian's and most others' file of certificates to trust.
const SYSTEM_CA: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A node's public listener.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    /// Host and port, as permits name it.
    pub name: String,
    /// The lines that every request has, the empty line behind them not within.
    pub(super) lines: String,
    pub permit: Option<Permit>,
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Target {
    /// # Errors
    /// When the URL is none, when nobody answers to its name, or when there is no leave to go there.
    pub fn new(
        url: &str,
        permit: Option<&str>,
        ca: Option<&Path>,
        wall: UnixMillis,
    ) -> anyhow::Result<Self> {
        let name = target_of(url)
            .with_context(|| format!("{url:?} is no URL such as https://live.example.org"))?;
        let mut addresses = name
            .to_socket_addrs()
            .with_context(|| format!("nobody knows the address of {name}"))?;
        let address = addresses
            .next()
            .with_context(|| format!("{name} has no address"))?;
        let read = permit.map(Permit::read).transpose()?;
        if let Some(permit) = &read {
            permit.holds_at(wall)?;
        }
        may_go(&name, address.ip(), read.as_ref())?;
        let tls = url
            .starts_with("https://")
            .then(|| trust(&name, ca))
            .transpose()?;
        let mut lines = format!(
            "Host: {name}\r\nUser-Agent: hustings-rehearse/{}\r\nConnection: close\r\n",
            env!("CARGO_PKG_VERSION")
        );
        if let Some(text) = permit {
            lines.push_str(&format!("Rehearsal: {}\r\n", text.trim()));
        }
        Ok(Self {
            address,
            name,
            lines,
            permit: read,
            tls,
        })
    }

    /// Whether connections can come from many networks: all of 127/8 is this machine.
    pub fn has_many_networks(&self) -> bool {
        matches!(self.address.ip(), IpAddr::V4(v4) if v4.is_loopback())
    }

    /// What a driver cannot show by where it stands.
    pub fn unseen(&self) -> Vec<String> {
        let what = if self.has_many_networks() {
            "other machines: all went through this one's loopback, whose sending and receiving share its cores"
        } else {
            "many networks: all came from this machine's address, and the door treats them as one network"
        };
        vec![what.to_owned()]
    }
}

/// A load tool must not serve to attack others.
fn may_go(name: &str, address: IpAddr, permit: Option<&Permit>) -> anyhow::Result<()> {
    if address.is_loopback() {
        return Ok(());
    }
    let Some(permit) = permit else {
        bail!(
            "{name} is not this machine: a rehearsal there needs --permit, which its operator mints with `hustings token --rehearsal --target …`"
        );
    };
    ensure!(
        permit.target == name,
        "the permit is for {}, and not for {name}",
        permit.target
    );
    Ok(())
}

fn trust(
    name: &str,
    ca: Option<&Path>,
) -> anyhow::Result<(Arc<ClientConfig>, ServerName<'static>)> {
    let file = ca.unwrap_or(Path::new(SYSTEM_CA));
    let mut roots = rustls::RootCertStore::empty();
    let read = CertificateDer::pem_file_iter(file);
    for certificate in read.with_context(|| {
        format!(
            "{} cannot be read as PEM; name another with --ca",
            file.display()
        )
    })? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Newcomers have no session to resume, and a crowd of them is what is rehearsed.
    config.resumption = rustls::client::Resumption::disabled();
    let host = name
        .rsplit_once(':')
        .map_or(name, |(host, _)| host)
        .trim_matches(['[', ']']);
    Ok((Arc::new(config), ServerName::try_from(host.to_owned())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearsal::PermitKey;

    fn permit(target: &str, until_s: u32) -> String {
        let permit = Permit {
            id: 1,
            target: target.to_owned(),
            from_s: 1_000,
            until_s,
            rate: 10,
            people: 10,
        };
        PermitKey::of(&[1; 32]).seal(&permit).expect("a permit")
    }

    fn told(url: &str, permit: Option<&str>) -> String {
        let target = Target::new(url, permit, None, UnixMillis(2_000_000));
        target.map_or_else(|why| format!("{why:#}"), |target| target.name)
    }

    #[test]
    fn without_a_permit_only_this_machine_is_rehearsed() {
        assert_eq!(told("http://127.0.0.1:8080", None), "127.0.0.1:8080");
        assert_eq!(told("http://127.9.8.7:80/s/x", None), "127.9.8.7:80");
        assert_eq!(told("http://[::1]:8080", None), "[::1]:8080");
        assert!(told("http://192.0.2.1:8080", None).contains("needs --permit"));
        assert!(told("http://[2001:db8::1]:8080", None).contains("needs --permit"));
        assert!(told("http://0.0.0.0:8080", None).contains("needs --permit"));
    }

    #[test]
    fn a_permit_is_good_for_its_target_and_time() {
        let good = permit("192.0.2.1:8080", 3_000);
        assert_eq!(told("http://192.0.2.1:8080", Some(&good)), "192.0.2.1:8080");
        assert!(
            told("http://192.0.2.2:8080", Some(&good)).contains("the permit is for 192.0.2.1:8080")
        );
        let old = permit("192.0.2.1:8080", 1_500);
        assert!(told("http://192.0.2.1:8080", Some(&old)).contains("has run out"));
        assert!(told("http://127.0.0.1:8080", Some(&old)).contains("has run out"));
        assert!(told("http://192.0.2.1:8080", Some("nonsense")).contains("no rehearsal permit"));
    }
}
