//! Signing with the sender's DKIM key (RFC 6376), as its own server would. Only what leaves is signed: what is composed again for the comparison is
//! not, so that a signature is evidence and no alteration.
//!
//! What it cannot see: whether the DNS has the public key. RSA keys below 2048 bits are refused, since the crypto library makes no such signatures;
//! RFC 8301 asks for 2048.

use data_encoding::BASE64;
use mail_auth::{
    common::{
        crypto::{Ed25519Key, RsaKey, Sha256, SigningKey},
        headers::HeaderWriter,
    },
    dkim::DkimSigner,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use std::fmt;

/// The fields that are signed where they stand in a message: those that are ours, in the order of RFC 6376 section 5.4.1 as far as it has them.
const SIGNED: [&str; 15] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
    "X-Mailflow-Probe",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Help",
    "List-Owner",
];

/// The algorithm of a key, with its octets in DER.
enum Key {
    Rsa { der: Zeroizing<Vec<u8>>, is_pkcs1: bool },
    Ed25519(Zeroizing<Vec<u8>>),
}

/// Signs for one domain and selector.
pub struct Signer {
    domain: String,
    selector: String,
    key: Key,
    public: Vec<u8>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, secret key)", self.record_name())
    }
}

impl Signer {
    /// A signer with this private key in PEM: RSA (PKCS#1 or PKCS#8) or Ed25519 (PKCS#8).
    ///
    /// # Errors
    /// A sentence, if it is no such key. Nothing of the key is in it.
    pub fn new(domain: &str, selector: &str, pem: &SecretString) -> Result<Self, String> {
        let wrong = "this is no private key in PEM (RSA or Ed25519, without a password)";
        let (key, public) = match PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes()) {
            Ok(PrivateKeyDer::Pkcs1(der)) => rsa(der.secret_pkcs1_der(), true)?,
            Ok(PrivateKeyDer::Pkcs8(der)) => {
                let der = der.secret_pkcs8_der();
                match Ed25519Key::from_pkcs8_maybe_unchecked_der(der) {
                    Ok(key) => (Key::Ed25519(der.to_vec().into()), key.public_key()),
                    Err(_) => rsa(der, false)?,
                }
            }
            _ => return Err(wrong.to_owned()),
        };
        Ok(Self {
            domain: domain.to_owned(),
            selector: selector.to_owned(),
            key,
            public,
        })
    }

    /// The name of the DNS record with the public key.
    pub fn record_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// The public key as the `p=` of its record has it, before base64: for RSA a `SubjectPublicKeyInfo`, for Ed25519 the 32 octets (RFC 8463).
    pub fn public_key(&self) -> Vec<u8> {
        match self.key {
            Key::Rsa { .. } => in_public_key_info(&self.public),
            Key::Ed25519(_) => self.public.clone(),
        }
    }

    /// The record that the DNS must have under [`Signer::record_name`].
    pub fn record(&self) -> String {
        let kind = match self.key {
            Key::Rsa { .. } => "rsa",
            Key::Ed25519(_) => "ed25519",
        };
        format!("v=DKIM1; k={kind}; p={}", BASE64.encode(&self.public_key()))
    }

    /// `message` with a signature in front, relaxed/relaxed. As it is if the key cannot sign, which [`Signer::new`] has ruled out; the requirement
    /// `dkim-pass` would show it.
    pub fn sign(&self, message: Vec<u8>) -> Vec<u8> {
        let signature = match &self.key {
            Key::Rsa { der, is_pkcs1 } => rsa_key(der, *is_pkcs1).ok().and_then(|key| self.field(key, &message)),
            Key::Ed25519(der) => Ed25519Key::from_pkcs8_maybe_unchecked_der(der)
                .ok()
                .and_then(|key| self.field(key, &message)),
        };
        match signature {
            Some(field) => [field.into_bytes(), message].concat(),
            None => message,
        }
    }

    fn field(&self, key: impl SigningKey<Hasher = Sha256>, message: &[u8]) -> Option<String> {
        let names = field_names(message);
        let present = SIGNED
            .iter()
            .filter(|signed| names.iter().any(|name| name.eq_ignore_ascii_case(signed)));
        let signer = DkimSigner::from_key(key)
            .domain(self.domain.as_str())
            .selector(self.selector.as_str())
            .headers(present.copied());
        Some(signer.sign(message).ok()?.to_header())
    }
}

/// The names of the fields in a message's header.
fn field_names(message: &[u8]) -> Vec<&str> {
    let lines = message
        .split(|&byte| byte == b'\n')
        .take_while(|line| !line.trim_ascii().is_empty());
    lines
        .filter(|line| !line.starts_with(b" ") && !line.starts_with(b"\t"))
        .filter_map(|line| std::str::from_utf8(line.split(|&byte| byte == b':').next()?).ok())
        .collect()
}

fn rsa(der: &[u8], is_pkcs1: bool) -> Result<(Key, Vec<u8>), String> {
    let key = rsa_key(der, is_pkcs1).map_err(|_| "this key cannot sign: it is neither Ed25519 nor RSA of 2048 bits or more".to_owned())?;
    let public = key.public_key();
    Ok((
        Key::Rsa {
            der: der.to_vec().into(),
            is_pkcs1,
        },
        public,
    ))
}

fn rsa_key(der: &[u8], is_pkcs1: bool) -> mail_auth::Result<RsaKey<Sha256>> {
    RsaKey::from_key_der(if is_pkcs1 {
        PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der))
    } else {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der))
    })
}

/// The `SubjectPublicKeyInfo` (RFC 5280) of an RSA key in PKCS#1.
fn in_public_key_info(key: &[u8]) -> Vec<u8> {
    /// The algorithm: rsaEncryption, with its NULL.
    const ALGORITHM: [u8; 15] = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    // A bit string begins with the number of its unused bits.
    let bits = der(0x03, &[&[0], key].concat());
    der(0x30, &[&ALGORITHM, bits.as_slice()].concat())
}

/// An element of DER: its tag, the length of its content, its content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().position(|&byte| byte != 0).unwrap_or(length.len() - 1)..];
    let mut element = vec![tag];
    if let ([short], true) = (length, content.len() < 0x80) {
        element.push(*short);
    } else {
        element.push(0x80 | u8::try_from(length.len()).unwrap_or_default());
        element.extend(length);
    }
    element.extend(content);
    element
}

#[cfg(test)]
mod tests;
