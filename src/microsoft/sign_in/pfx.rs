//! PFX files (PKCS#12, RFC 7292): the key and the certificates in them.

use p12_keystore::Pkcs12Archive;
use secrecy::{ExposeSecret, SecretString};

/// A key and its chain fit many times.
const LIMIT: usize = 1 << 20;

/// The keys as PKCS#8, and the certificates, in no order.
pub(super) struct Opened {
    pub keys: Vec<Vec<u8>>,
    pub certificates: Vec<Vec<u8>>,
}

/// Opens `file`.
pub(super) fn open(file: &[u8], password: &SecretString) -> Result<Opened, String> {
    if file.len() > LIMIT {
        return Err("the PFX file is too large to be one".to_owned());
    }
    // The library's own words speak of ASN.1, and do not tell a wrong password from a broken file.
    let archive = Pkcs12Archive::from_pkcs12(file, password.expose_secret())
        .map_err(|_| "the PFX file cannot be opened: it is none, or the password is wrong".to_owned())?;
    Ok(Opened {
        keys: archive.keys.iter().map(|bag| bag.key.as_der().to_vec()).collect(),
        certificates: archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect(),
    })
}
