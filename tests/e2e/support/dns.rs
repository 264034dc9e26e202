//! A DNS server whose records change while it runs, and that can be told to fail.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::eventually;

pub(crate) struct DnsServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    is_over: Arc<AtomicBool>,
}

#[derive(Default)]
struct State {
    records: Vec<Record>,
    moods: Vec<(Option<Name>, Mood)>,
    asked: Vec<Query>,
}

/// How questions are answered when not by the records.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mood {
    /// Not at all.
    Silent,
    /// Not at all when it is asked for IPv6 addresses.
    SilentAboutIpv6,
    /// With this code, and nothing else.
    Says(ResponseCode),
}

impl DnsServer {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = Self {
            address: socket.local_addr().unwrap(),
            state: Arc::default(),
            is_over: Arc::default(),
        };
        let (state, is_over) = (Arc::clone(&server.state), Arc::clone(&server.is_over));
        thread::spawn(move || {
            let mut packet = [0; 4096];
            while let Ok((length, client)) = socket.recv_from(&mut packet) {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let answer = state.lock().unwrap().answer(&packet[..length]);
                if let Some(answer) = answer {
                    // A client that is gone needs no answer.
                    let _ = socket.send_to(&answer, client);
                }
            }
        });
        server
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on `name` has these addresses, and no other records.
    pub(crate) fn set_addresses(&self, name: &str, ttl: u32, addresses: &[&str]) {
        let addresses = addresses.iter().map(|one| one.parse::<IpAddr>().unwrap());
        self.set(name, ttl, addresses.map(RData::from));
    }

    /// From now on `name` has these SRV records, of priority, weight, port and target.
    pub(crate) fn set_services(&self, name: &str, ttl: u32, services: &[(u16, u16, u16, &str)]) {
        let record = |(priority, weight, port, target): &(u16, u16, u16, &str)| {
            RData::SRV(SRV::new(*priority, *weight, *port, whole(target)))
        };
        self.set(name, ttl, services.iter().map(record));
    }

    /// From now on `name` stands for `target`.
    pub(crate) fn set_alias(&self, name: &str, ttl: u32, target: &str) {
        self.set(name, ttl, [RData::CNAME(CNAME(whole(target)))]);
    }

    /// From now on there is no such name.
    pub(crate) fn forget(&self, name: &str) {
        self.set(name, 0, []);
    }

    fn set(&self, name: &str, ttl: u32, data: impl IntoIterator<Item = RData>) {
        let name = whole(name);
        let records = &mut self.state.lock().unwrap().records;
        records.retain(|record| record.name != name);
        let data = data.into_iter();
        records.extend(data.map(|data| Record::from_rdata(name.clone(), ttl, data)));
    }

    /// How all questions are answered from now on.
    pub(crate) fn is(&self, mood: Mood) {
        self.state.lock().unwrap().moods.push((None, mood));
    }

    /// How questions for `name` are answered from now on.
    pub(crate) fn is_about(&self, name: &str, mood: Mood) {
        self.state
            .lock()
            .unwrap()
            .moods
            .push((Some(whole(name)), mood));
    }

    /// From now on questions are answered by the records.
    pub(crate) fn is_well(&self) {
        self.state.lock().unwrap().moods.clear();
    }

    /// How many questions for records of `name` came so far, also those that were sent again.
    pub(crate) fn asked_for(&self, name: &str) -> usize {
        let name = whole(name);
        let asked = &self.state.lock().unwrap().asked;
        asked.iter().filter(|query| *query.name() == name).count()
    }

    /// Waits until so many more questions for `name` have come.
    pub(crate) fn wait_for_questions(&self, name: &str, more: usize) {
        let enough = self.asked_for(name) + more;
        eventually("the DNS server is asked", || self.asked_for(name) >= enough);
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread, which then sees that it is over.
        let _ = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|socket| socket.send_to(b"over", self.address));
    }
}

impl State {
    fn answer(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let question = Message::from_vec(packet).ok()?;
        let query = question.queries.first()?.clone();
        self.asked.push(query.clone());
        let mut answer = Message::response(question.id, OpCode::Query);
        answer.add_query(query.clone());
        answer.metadata.response_code = match self.mood(query.name()) {
            Some(Mood::Silent) => return None,
            Some(Mood::SilentAboutIpv6) if query.query_type() == RecordType::AAAA => return None,
            Some(Mood::Says(code)) => code,
            _ => self.look_up(&query, &mut answer),
        };
        Some(answer.to_vec().unwrap())
    }

    fn mood(&self, name: &Name) -> Option<Mood> {
        let mut moods = self.moods.iter().rev();
        let found = moods.find(|(about, _)| about.as_ref().is_none_or(|about| about == name));
        found.map(|(_, mood)| *mood)
    }

    fn look_up(&self, query: &Query, answer: &mut Message) -> ResponseCode {
        let mut name = query.name().clone();
        loop {
            let records: Vec<_> = self.records.iter().filter(|one| one.name == name).collect();
            let alias = records.iter().find_map(|record| match &record.data {
                RData::CNAME(CNAME(target)) => Some(((*record).clone(), target.clone())),
                _ => None,
            });
            if let Some((record, target)) = alias {
                answer.add_answer(record);
                name = target;
                continue;
            }
            let wanted = records
                .iter()
                .filter(|one| one.record_type() == query.query_type());
            answer.add_answers(wanted.map(|record| (*record).clone()));
            return match records.is_empty() {
                true => ResponseCode::NXDomain,
                false => ResponseCode::NoError,
            };
        }
    }
}

fn whole(name: &str) -> Name {
    let mut name = Name::from_ascii(name).unwrap();
    name.set_fqdn(true);
    name
}
