//! DNS servers of the tests: dnsmasq with the lines that a test wants, Knot with a signed zone.

use std::{
    fs,
    net::{SocketAddr, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

/// A DNS server of its own, ended with the test.
pub struct Dns {
    server: Child,
    pub at: SocketAddr,
    pub folder: tempfile::TempDir,
}

impl Dns {
    /// dnsmasq with these lines of configuration; other names under `.example` do not exist.
    pub fn masq(lines: &str) -> Self {
        Self::start(|at, folder| {
            let config = format!(
                "port={}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nlocal=/example/\nlocal=/arpa/\ncache-size=0\n{lines}",
                at.port()
            );
            fs::write(folder.join("dnsmasq.conf"), config).unwrap();
            let mut command = Command::new("dnsmasq");
            command.arg("--keep-in-foreground").arg("--pid-file");
            command.arg(format!("--conf-file={}", folder.join("dnsmasq.conf").display()));
            command
        })
    }

    /// Knot DNS with a root zone of its own, which it signs itself.
    pub fn knot(zone: &str) -> Self {
        Self::start(|at, folder| {
            let path = folder.display();
            let config = format!(
                "server:\n    listen: 127.0.0.1@{}\n    rundir: {path}\n    automatic-acl: off\ndatabase:\n    storage: {path}\n\
                 zone:\n  - domain: \".\"\n    file: {path}/zone\n    zonefile-sync: -1\n    zonefile-load: difference-no-serial\n    \
                 journal-content: all\n    dnssec-signing: on\n",
                at.port()
            );
            fs::write(folder.join("knot.conf"), config).unwrap();
            fs::write(folder.join("zone"), zone).unwrap();
            let mut command = Command::new("knotd");
            command.arg("-c").arg(folder.join("knot.conf"));
            command
        })
    }

    fn start(prepare: impl Fn(SocketAddr, &Path) -> Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let server = prepare(at, folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("the DNS server of the lab is installed");
        let mut dns = Self { server, at, folder };
        for _ in 0..200 {
            if TcpStream::connect(at).is_ok() {
                return dns;
            }
            if dns.server.try_wait().unwrap().is_some() {
                break;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("{}", fs::read_to_string(dns.folder.path().join("log")).unwrap())
    }

    /// The key that signs the zone, as a file of trust anchors.
    pub fn anchor(&self) -> PathBuf {
        let path = self.folder.path().join("anchor");
        for _ in 0..100 {
            let keys = Command::new("keymgr")
                .arg("-c")
                .arg(self.folder.path().join("knot.conf"))
                .args([".", "dnskey"])
                .output()
                .unwrap();
            let keys = String::from_utf8(keys.stdout).unwrap();
            if let Some((owner, key)) = keys.trim().split_once(" DNSKEY ") {
                fs::write(&path, format!("{owner} 3600 IN DNSKEY {key}\n")).unwrap();
                return path;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("{}", fs::read_to_string(self.folder.path().join("log")).unwrap())
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
