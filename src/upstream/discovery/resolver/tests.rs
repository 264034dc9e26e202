use super::*;
use crate::upstream::discovery::server::Records;

fn found(addresses: &[&str], ttl: u64) -> Answer {
    let data = addresses
        .iter()
        .map(|one| RData::from(one.parse::<IpAddr>().unwrap()));
    Ok(Records {
        data: data.collect(),
        ttl: Duration::from_secs(ttl),
    })
}

fn silent() -> Answer {
    Err(Miss::Silent("10.0.0.53:53 does not answer".to_owned()))
}

fn refused() -> Answer {
    Err(Miss::Refused("10.0.0.53:53 refuses".to_owned()))
}

fn told(addresses: &[&str]) -> Addresses {
    Addresses::Told(addresses.iter().map(|one| one.parse().unwrap()).collect())
}

#[test]
fn an_answer_in_one_family_is_an_answer() {
    let answer = HostAnswer::of(&[found(&["10.0.0.1"], 30), silent()]).unwrap();
    assert_eq!(
        (answer.v4, answer.v6),
        (told(&["10.0.0.1"]), Addresses::Untold)
    );
    let answer = HostAnswer::of(&[Err(Miss::NoRecords), found(&["fd00::1"], 30)]).unwrap();
    assert_eq!((answer.v4, answer.v6), (told(&[]), told(&["fd00::1"])));
}

#[test]
fn an_answer_holds_as_long_as_the_first_of_its_parts() {
    let answer = HostAnswer::of(&[found(&["10.0.0.1"], 30), found(&["fd00::1"], 20)]);
    assert_eq!(answer.unwrap().ttl, Duration::from_secs(20));
}

#[test]
fn a_server_that_says_0_0_0_0_has_no_address_to_tell() {
    assert_eq!(
        HostAnswer::of(&[found(&["0.0.0.0"], 30), found(&["::"], 30)]),
        None
    );
    let answer = HostAnswer::of(&[found(&["0.0.0.0", "10.0.0.1"], 30)]).unwrap();
    assert_eq!(answer.v4, told(&["10.0.0.1"]));
}

#[test]
fn ipv6_addresses_without_a_route_are_left_out_where_there_are_ipv4_ones() {
    let both = HostAnswer::new(
        &["10.0.0.1", "fd00::1", "fd00::2"].map(|one| one.parse().unwrap()),
        Duration::MAX,
    );
    let only_second = |address: Ipv6Addr| address.segments()[7] == 2;
    assert_eq!(both.usable(only_second).v6, told(&["fd00::2"]));
}

#[test]
fn ipv6_addresses_without_a_route_are_all_there_is_where_there_are_no_ipv4_ones() {
    let only = HostAnswer::new(&["fd00::1".parse().unwrap()], Duration::MAX);
    assert_eq!(only.usable(|_| false).v6, told(&["fd00::1"]));
}

#[test]
fn loopback_has_a_route_where_there_is_ipv6() {
    let has_ipv6 = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    assert_eq!(has_route(Ipv6Addr::LOCALHOST), has_ipv6);
}

#[test]
fn a_server_that_knows_no_such_name_has_said_enough() {
    for answers in [
        vec![Err(Miss::NoName), silent()],
        vec![refused(), Err(Miss::NoName)],
    ] {
        assert!(matches!(judge(answers), Err(Miss::NoName)));
    }
}

#[test]
fn a_server_that_is_silent_about_one_family_and_has_nothing_of_the_other_is_not_believed() {
    let judged = judge(vec![Err(Miss::NoRecords), silent()]);
    assert!(matches!(judged, Ok(Judged::Silent(_))));
    let judged = judge(vec![Err(Miss::NoRecords), refused()]);
    assert!(matches!(judged, Ok(Judged::Refused(_))));
}

#[tokio::test]
async fn a_name_in_the_hosts_file_is_not_asked_for_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody is there to be asked, so a name that is asked for takes all the time there is.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let servers = vec![silent.local_addr().unwrap()];
    let files = Files::at(folder.path());
    std::fs::write(folder.path().join("hosts"), "10.0.0.7 app1\n").unwrap();
    let resolver = Resolver::with_files(config::Resolver { servers }, files);
    let answer = resolver
        .host("app1", Deadline::of_a_lookup())
        .await
        .unwrap();
    assert_eq!((answer.v4, answer.v6), (told(&["10.0.0.7"]), told(&[])));
    std::fs::write(
        folder.path().join("hosts"),
        "10.0.0.8 app1\n10.0.0.9 app1\n",
    )
    .unwrap();
    let answer = resolver
        .host("app1", Deadline::of_a_lookup())
        .await
        .unwrap();
    assert_eq!(answer.v4, told(&["10.0.0.8", "10.0.0.9"]));
    silent.set_nonblocking(true).unwrap();
    assert!(silent.recv(&mut [0; 512]).is_err(), "the server was asked");
}
