//! What a lab has for itself: a block of ports, a folder with every server's configuration, a CA.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};

use super::{GATEWAY_A, GATEWAY_B, HOST, accounts};

/// The ports of one lab. No other lab takes them as long as this value lives.
pub(super) struct Ports {
    pub submission: u16,
    pub smtps: u16,
    pub mx: u16,
    pub hub: u16,
    pub lmtp: u16,
    pub imap: u16,
    pub imaps: u16,
    pub dns: u16,
    pub milter: u16,
    pub spamd: u16,
    _claim: TcpListener,
}

impl Ports {
    /// Below the ephemeral ports, so that no outgoing connection can take one between this look and the server's start.
    pub(super) fn claim() -> Self {
        const FIRST: u16 = 20_000;
        const BLOCK: u16 = 11;
        const BLOCKS: u16 = 1_090;
        // Labs of other processes most likely look elsewhere first.
        let offset = u16::try_from(std::process::id() % u32::from(BLOCKS)).expect("below the number of blocks");
        for number in 0..BLOCKS {
            let base = FIRST + (offset + number) % BLOCKS * BLOCK;
            // The first port serves as a lock among labs.
            let Ok(claim) = TcpListener::bind((HOST, base)) else { continue };
            let free = (base + 1..base + BLOCK).all(|port| {
                [HOST, GATEWAY_A, GATEWAY_B]
                    .iter()
                    .all(|host| TcpListener::bind((*host, port)).is_ok() && UdpSocket::bind((*host, port)).is_ok())
            });
            if free {
                return Self {
                    submission: base + 1,
                    smtps: base + 2,
                    mx: base + 3,
                    hub: base + 4,
                    lmtp: base + 5,
                    imap: base + 6,
                    imaps: base + 7,
                    dns: base + 8,
                    milter: base + 9,
                    spamd: base + 10,
                    _claim: claim,
                };
            }
        }
        panic!("no free block of ports on loopback");
    }
}

/// Fills the lab's folder: configurations from `config/`, the lists of accounts, the certificates.
pub(super) fn write(folder: &Path, ports: &Ports) {
    let config = super::source("config");
    let lab = folder.display().to_string();
    let numbers = [
        ("@submission@", ports.submission),
        ("@smtps@", ports.smtps),
        ("@mx@", ports.mx),
        ("@hub@", ports.hub),
        ("@lmtp@", ports.lmtp),
        ("@imap@", ports.imap),
        ("@imaps@", ports.imaps),
        ("@dns@", ports.dns),
        ("@milter@", ports.milter),
        ("@spamd@", ports.spamd),
    ];
    let fill = |text: String| {
        numbers.iter().fold(text.replace("@lab@", &lab), |text, (mark, port)| {
            text.replace(mark, &port.to_string())
        })
    };
    for server in ["submit", "gw-a", "gw-b", "hub", "dns", "rspamd", "spamd", "store"] {
        copy(&config.join(server), &folder.join(server), &fill);
    }
    // What is the same for each Postfix follows what is its own.
    for server in ["submit", "gw-a"] {
        for name in ["main.cf", "master.cf"] {
            let path = folder.join(server).join(name);
            let text = read(&path) + &fill(read(&config.join("postfix").join(name))).replace("@name@", server);
            fs::write(path, text).expect("the lab's folder can be written");
        }
    }
    let [imap, lmtp, recipients] = accounts::lists();
    let masters = format!("{}:{{PLAIN}}{}\n", accounts::WATCHER, accounts::WATCHER_PASSWORD);
    for (name, text) in [
        ("store/users-imap", imap),
        ("store/users-lmtp", lmtp),
        ("recipients", recipients),
        ("store/masters", masters),
    ] {
        fs::write(folder.join(name), text).expect("the lab's folder can be written");
    }
    // doveadm reads about those who may sign in.
    std::os::unix::fs::symlink("users-imap", folder.join("store/users-doveadm")).expect("the lab's folder can be written");
    certificates(&folder.join("tls"));
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn copy(from: &Path, to: &Path, fill: &impl Fn(String) -> String) {
    fs::create_dir_all(to).expect("the lab's folder can be written");
    for entry in fs::read_dir(from)
        .expect("tests/lab/config can be read")
        .map(|entry| entry.expect("tests/lab/config can be read"))
    {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target, fill);
            continue;
        }
        fs::write(&target, fill(read(&path))).expect("the lab's folder can be written");
        let mode = fs::metadata(&path).expect("it was just read").permissions();
        fs::set_permissions(&target, mode).expect("the lab's folder can be written");
    }
}

/// `ca.pem`, and `server.pem` with `server.key` for all servers. The key can be read by all: it lives as long as the lab.
fn certificates(folder: &Path) {
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "mailflow test lab CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_key = KeyPair::generate().expect("a key can be made");
    let ca_certificate = ca.self_signed(&ca_key).expect("the CA's certificate is valid");
    let issuer = Issuer::new(ca, ca_key);

    let names = [
        "localhost",
        "mail.contoso.example",
        "smtp.sender.example",
        "gw-a.contoso.example",
        "gw-b.contoso.example",
    ];
    let mut server = CertificateParams::new(names.map(str::to_owned)).expect("the names are valid");
    server.distinguished_name.push(DnType::CommonName, "mail.contoso.example");
    server
        .subject_alt_names
        .extend([HOST, GATEWAY_A, GATEWAY_B].map(|host: Ipv4Addr| SanType::IpAddress(IpAddr::V4(host))));
    let key = KeyPair::generate().expect("a key can be made");
    let certificate = server.signed_by(&key, &issuer).expect("the certificate is valid");

    fs::create_dir_all(folder).expect("the lab's folder can be written");
    for (name, text) in [
        ("ca.pem", ca_certificate.pem()),
        ("server.pem", certificate.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        fs::write(folder.join(name), text).expect("the lab's folder can be written");
    }
}
