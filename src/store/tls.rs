//! TLS to PostgreSQL, as `sslmode` of the address says: with libpq's meaning of its words.
//!
//! `disable`; `prefer` (the default) and `require` encrypt without looking at the server's certificate, unless
//! `sslrootcert` is given; `verify-ca` and `verify-full` check it, and its host name, against `sslrootcert` or the
//! system's bundle.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::{Config, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::model::{Error, Result};

/// Where systems keep the certificates they trust.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Reads the address. No TLS: `None`.
pub(super) fn configure(url: &str) -> Result<(Config, Option<MakeRustlsConnect>)> {
    let (plain, mode, roots) = split(url);
    // The driver's errors name parameters, not their values.
    let mut config: Config = plain
        .parse()
        .map_err(|e| Error::bad(format!("database_url: not an address of PostgreSQL: {e}")))?;
    config.application_name("kalends");
    let verify = match mode.as_deref() {
        Some("disable") => {
            config.ssl_mode(SslMode::Disable);
            return Ok((config, None));
        }
        None | Some("prefer" | "allow") => {
            config.ssl_mode(SslMode::Prefer);
            roots.is_some()
        }
        Some("require") => {
            config.ssl_mode(SslMode::Require);
            roots.is_some()
        }
        Some("verify-ca" | "verify-full") => {
            config.ssl_mode(SslMode::Require);
            true
        }
        Some(other) => return Err(Error::bad(format!("database_url: unknown sslmode {other}"))),
    };
    let client = if verify {
        verifying(roots.as_deref())?
    } else {
        trusting()?
    };
    Ok((config, Some(MakeRustlsConnect::new(client))))
}

/// The address without the two parameters that the driver does not know in full, and these.
fn split(url: &str) -> (String, Option<String>, Option<String>) {
    let Some((base, query)) = url.split_once('?') else {
        return (url.to_string(), None, None);
    };
    let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
    for parameter in query.split('&').filter(|p| !p.is_empty()) {
        let value = |text: &str| {
            percent_encoding::percent_decode_str(text)
                .decode_utf8_lossy()
                .into_owned()
        };
        match parameter.split_once('=') {
            Some(("sslmode", text)) => mode = Some(value(text)),
            Some(("sslrootcert", text)) => roots = Some(value(text)),
            _ => rest.push(parameter),
        }
    }
    let plain = if rest.is_empty() {
        base.to_string()
    } else {
        format!("{base}?{}", rest.join("&"))
    };
    (plain, mode, roots)
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)
}

fn verifying(file: Option<&str>) -> Result<ClientConfig> {
    let file = file
        .filter(|f| *f != "system")
        .or_else(|| {
            BUNDLES
                .into_iter()
                .find(|path| std::path::Path::new(path).exists())
        })
        .ok_or_else(|| {
            Error::bad(
                "database_url: no bundle of trusted certificates found; name one as sslrootcert",
            )
        })?;
    let why = |e: rustls::pki_types::pem::Error| {
        Error::bad(format!("database_url: sslrootcert {file}: {e}"))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(why)? {
        // Bundles hold a few that rustls does not take; those are not trusted then.
        let _ = roots.add(certificate.map_err(why)?);
    }
    Ok(builder()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn trusting() -> Result<ClientConfig> {
    let verifier = Arc::new(AnyServer(ring::default_provider()));
    Ok(builder()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// Takes any certificate, as libpq does for `prefer` and `require`; the handshake itself is still checked.
#[derive(Debug)]
struct AnyServer(CryptoProvider);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_taken_out_of_the_address() {
        for (url, plain, mode) in [
            ("postgres://h/d", "postgres://h/d", None),
            (
                "postgres://h/d?sslmode=verify-full",
                "postgres://h/d",
                Some("verify-full"),
            ),
            (
                "postgres://h/d?a=1&sslmode=disable&b=2",
                "postgres://h/d?a=1&b=2",
                Some("disable"),
            ),
        ] {
            assert_eq!(
                split(url),
                (plain.to_string(), mode.map(String::from), None),
                "{url}"
            );
        }
    }

    #[test]
    fn modes_mean_what_they_mean_to_libpq() {
        for (mode, driver, tls) in [
            ("disable", SslMode::Disable, false),
            ("prefer", SslMode::Prefer, true),
            ("require", SslMode::Require, true),
        ] {
            let (config, made) = configure(&format!("postgres://u:p@h/d?sslmode={mode}")).unwrap();
            assert_eq!(
                (config.get_ssl_mode(), made.is_some()),
                (driver, tls),
                "{mode}"
            );
        }
        assert!(configure("postgres://h/d?sslmode=maybe").is_err());
    }
}
