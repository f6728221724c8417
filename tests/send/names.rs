//! A DNS server with a small zone, so that every answer that a resolver may give can be had without one.

use hickory_resolver::proto::{
    op::{Message, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, AAAA, CNAME, MX},
    },
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::net::UdpSocket;

/// A record in text: `MX 10 host`, `A 127.0.0.1`, `AAAA ::1`, `CNAME name`; `SERVFAIL` and `SILENCE` stand for a whole name.
pub type Zone = &'static [(&'static str, &'static str)];

/// A DNS server.
pub struct Names {
    pub at: SocketAddr,
    /// How many questions it was asked.
    pub asked: Arc<AtomicUsize>,
}

impl Names {
    /// Serves `zone` on loopback for as long as the test runs.
    pub async fn serve(zone: Zone) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                count.fetch_add(1, Ordering::Relaxed);
                if let Some(answer) = answer(zone, &buffer[..length]) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Self { at, asked }
    }
}

fn answer(zone: Zone, question: &[u8]) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?.clone();
    let mut response = Message::response(question.metadata.id, question.metadata.op_code);
    response.metadata.recursion_desired = true;
    response.metadata.recursion_available = true;
    response.add_query(query.clone());
    let mut name = query.name().to_ascii().to_lowercase();
    let mut known = false;
    // An alias and then its target, as a recursive server answers.
    for _ in 0..2 {
        let records: Vec<&str> = zone
            .iter()
            .filter(|(owner, _)| format!("{owner}.") == name)
            .map(|(_, record)| *record)
            .collect();
        known |= !records.is_empty();
        let owner = Name::from_ascii(&name).ok()?;
        let asked_for = name.clone();
        for record in records {
            let words: Vec<&str> = record.split(' ').collect();
            let data = match (query.query_type(), words.as_slice()) {
                (_, ["SILENCE"]) => return None,
                (_, ["SERVFAIL"]) => {
                    response.metadata.response_code = ResponseCode::ServFail;
                    return response.to_vec().ok();
                }
                (_, ["CNAME", target]) => {
                    name = format!("{target}.");
                    RData::CNAME(CNAME(Name::from_ascii(&name).ok()?))
                }
                (RecordType::MX, ["MX", preference, host]) => RData::MX(MX::new(
                    preference.parse().ok()?,
                    Name::from_ascii(host.trim_end_matches('.').to_owned() + ".").ok()?,
                )),
                (kind, [family, address]) if *family == kind.to_string() => match address.parse().ok()? {
                    IpAddr::V4(address) => RData::A(A(address)),
                    IpAddr::V6(address) => RData::AAAA(AAAA(address)),
                },
                _ => continue,
            };
            response.add_answer(Record::from_rdata(owner.clone(), 60, data));
        }
        if name == asked_for {
            break;
        }
    }
    if !known {
        response.metadata.response_code = ResponseCode::NXDomain;
    }
    response.to_vec().ok()
}
