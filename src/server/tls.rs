//! TLS with certificate files, read again when they change: renewals need no restart.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::Tls;

/// The certificate in force.
pub struct Certificate {
    files: Tls,
    current: RwLock<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    /// When the files had changed last.
    read: Option<[SystemTime; 2]>,
}

impl Certificate {
    pub fn load(files: &Tls) -> Result<Certificate, String> {
        let read = changed(files);
        let config = server_config(files)?;
        Ok(Certificate {
            files: files.clone(),
            current: RwLock::new(Current { config, read }),
        })
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(current.config.clone())
    }

    /// Reads the files again if they have changed, or in any case. What cannot be read leaves the old one in force.
    pub fn reload(&self, in_any_case: bool) {
        let now = changed(&self.files);
        let same = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            current.read == now
        };
        if same && !in_any_case {
            return;
        }
        match server_config(&self.files) {
            Ok(config) => {
                tracing::info!("certificate read");
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                *current = Current { config, read: now };
            }
            Err(why) => {
                tracing::error!(%why, "the certificate cannot be read, the old one stays in force");
                // Not again until the files change again.
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                current.read = now;
            }
        }
    }
}

fn changed(files: &Tls) -> Option<[SystemTime; 2]> {
    let of = |path: &Path| std::fs::metadata(path).ok()?.modified().ok();
    Some([of(&files.cert)?, of(&files.key)?])
}

fn server_config(files: &Tls) -> Result<Arc<ServerConfig>, String> {
    let complain = |path: &Path, why: String| format!("{}: {why}", path.display());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect)
        .map_err(|fault| complain(&files.cert, fault.to_string()))?;
    if chain.is_empty() {
        return Err(complain(&files.cert, "holds no certificate (PEM)".into()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|fault| complain(&files.key, fault.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|fault| fault.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|fault| complain(&files.cert, fault.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
