//! TLS of the administration API.
//! What lives here: the self-made certificate and the acceptor. What does not: who may call (the token, admin).

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::directory::{read_secret, write_private};

/// Loads certificate and key, and makes both at the first start. The certificate is for this host's name, `localhost` and
/// the address that is listened on; clients take it from `admin.crt`.
pub(crate) fn acceptor(
    certificate_path: &Path,
    key_path: &Path,
    listen: IpAddr,
) -> io::Result<TlsAcceptor> {
    let (certificate, key) = match (read_secret(certificate_path)?, read_secret(key_path)?) {
        (Some(certificate), Some(key)) => (certificate, key),
        _ => make(certificate_path, key_path, listen)?,
    };
    let certificates = CertificateDer::pem_slice_iter(certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn make(certificate_path: &Path, key_path: &Path, listen: IpAddr) -> io::Result<(String, String)> {
    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    if !listen.is_unspecified() && !listen.is_loopback() {
        names.push(listen.to_string());
    }
    if let Ok(host) = rustix::system::uname().nodename().to_str()
        && !host.is_empty()
        && host != "localhost"
    {
        names.push(host.to_owned());
    }
    let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    // The key first: a certificate without its key makes both anew at the next start.
    write_private(key_path, key.as_bytes())?;
    write_private(certificate_path, certificate.as_bytes())?;
    Ok((certificate, key))
}
