use super::*;

fn search(resolv_conf: &str) -> Search {
    DnsSettings::parse(resolv_conf.as_bytes()).search
}

fn candidates(resolv_conf: &str, name: &str) -> Vec<String> {
    let names = search(resolv_conf).candidates(name);
    names.iter().map(Name::to_ascii).collect()
}

const KUBERNETES: &str = "\
nameserver 10.96.0.10
search shop.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
";

#[test]
fn a_short_name_is_completed_with_the_search_domains_first() {
    let tried = candidates("nameserver 10.0.0.1\nsearch corp.test lab.test\n", "app1");
    assert_eq!(tried, ["app1.corp.test.", "app1.lab.test.", "app1."]);
}

#[test]
fn a_name_with_enough_dots_is_first_tried_as_it_is() {
    let tried = candidates(
        "nameserver 10.0.0.1\nsearch corp.test\n",
        "app1.example.com",
    );
    assert_eq!(tried, ["app1.example.com.", "app1.example.com.corp.test."]);
}

#[test]
fn ndots_says_how_many_dots_are_enough() {
    let tried = candidates(KUBERNETES, "_http._tcp.web");
    assert_eq!(
        tried.first().unwrap(),
        "_http._tcp.web.shop.svc.cluster.local."
    );
    assert_eq!(tried.last().unwrap(), "_http._tcp.web.");
}

#[test]
fn a_name_with_an_underscore_is_asked_for_as_it_is() {
    assert_eq!(
        candidates("nameserver 10.0.0.1\ndomain a.test\n", "my_app.b"),
        ["my_app.b.", "my_app.b.a.test."]
    );
}

#[test]
fn the_servers_of_resolv_conf_are_asked_in_their_order() {
    let settings =
        DnsSettings::parse(b"nameserver 10.0.0.2\nnameserver fd00::1\nnameserver 10.0.0.1\n");
    let servers: Vec<_> = settings.servers.iter().map(SocketAddr::to_string).collect();
    assert_eq!(servers, ["10.0.0.2:53", "[fd00::1]:53", "10.0.0.1:53"]);
}

#[test]
fn without_a_server_in_resolv_conf_the_one_on_this_machine_is_asked() {
    for text in ["", "search corp.test\n", "\u{0}\u{1}"] {
        let settings = DnsSettings::parse(text.as_bytes());
        assert_eq!(settings.servers, ["127.0.0.1:53".parse().unwrap()]);
    }
    assert_eq!(
        candidates("search corp.test\n", "app1"),
        ["app1.corp.test.", "app1."]
    );
}

#[test]
fn a_line_of_resolv_conf_that_makes_no_sense_is_passed_over() {
    let settings = DnsSettings::parse(
        b"nameserver dns.corp.test\nfoo\nnameserver 10.0.0.1\noptions no-aaaa bar\n",
    );
    assert_eq!(settings.servers, ["10.0.0.1:53".parse().unwrap()]);
    assert!(!settings.ipv6);
}

#[test]
fn configured_servers_are_asked_for_names_as_they_are_written() {
    let settings = DnsSettings::of(vec![(Ipv4Addr::LOCALHOST, 5353).into()]);
    let names = settings.search.candidates("app1");
    assert_eq!(names, [Name::from_ascii("app1.").unwrap()]);
}

fn found(hosts: &str, name: &str) -> Vec<String> {
    let hosts = Hosts::parse(hosts);
    let found = hosts.find(name).unwrap_or_default();
    found.iter().map(IpAddr::to_string).collect()
}

#[test]
fn a_name_in_the_hosts_file_has_all_its_addresses_there() {
    let hosts = "127.0.0.1 localhost\n::1\tlocalhost ip6-localhost # loopback\n10.0.0.7 app1 app1.corp.test\n";
    assert_eq!(found(hosts, "localhost"), ["127.0.0.1", "::1"]);
    assert_eq!(found(hosts, "app1.corp.test"), ["10.0.0.7"]);
    assert!(found(hosts, "loopback").is_empty());
    assert!(found(hosts, "app2").is_empty());
}

#[test]
fn a_name_in_the_hosts_file_is_found_in_any_case() {
    assert_eq!(found("10.0.0.7 App1\n", "aPP1"), ["10.0.0.7"]);
}

#[test]
fn a_line_of_the_hosts_file_that_makes_no_sense_is_passed_over() {
    let hosts = "app1 10.0.0.6\n10.0.0.256 app1\n\n#10.0.0.8 app1\n10.0.0.7 app1";
    assert_eq!(found(hosts, "app1"), ["10.0.0.7"]);
}

#[test]
fn files_that_change_are_another_edition() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::at(folder.path());
    let missing = files.edition();
    assert_eq!(files.edition(), missing);
    std::fs::write(&files.hosts, "10.0.0.7 app1\n").unwrap();
    let written = files.edition();
    assert_ne!(written, missing);
    std::fs::write(&files.resolv_conf, KUBERNETES).unwrap();
    assert_ne!(files.edition(), written);
    let (hosts, settings) = files.read();
    assert!(hosts.find("app1").is_some());
    assert_eq!(settings.servers, ["10.96.0.10:53".parse().unwrap()]);
}
