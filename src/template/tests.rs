use http::HeaderName;
use proptest::prelude::*;

use super::*;

/// Renders each variable as its debug text, and two of them as nothing at all.
struct Names;

impl Values for Names {
    fn append(&self, variable: &Variable, out: &mut Vec<u8>) {
        if !matches!(variable, Variable::Error) {
            out.extend_from_slice(format!("<{variable:?}>").as_bytes());
        }
    }
}

fn render(text: &str) -> String {
    let template = Template::parse(text).unwrap();
    let mut out = Vec::new();
    template.render(&Names, &mut out);
    String::from_utf8(out).unwrap()
}

fn fault(text: &str) -> (usize, String) {
    let error = Template::parse(text).unwrap_err();
    (error.offset, error.to_string())
}

#[test]
fn text_and_variables_come_out_in_order() {
    assert_eq!(
        render("http://$host:$server_port/x"),
        "http://<Host>:<ServerPort>/x"
    );
    assert_eq!(render(""), "");
    assert_eq!(render("no variable"), "no variable");
}

#[test]
fn a_name_ends_with_its_letters_or_at_its_brace() {
    assert_eq!(render("$host.local-$status"), "<Host>.local-<Status>");
    assert_eq!(render("${host}name"), "<Host>name");
    assert_eq!(render("$hostname"), "<Hostname>");
    assert_eq!(render("${status}00}"), "<Status>00}");
}

#[test]
fn two_dollars_are_one_dollar() {
    assert_eq!(render("$$host costs $$$status"), "$host costs $<Status>");
}

#[test]
fn a_variable_without_text_renders_as_nothing() {
    assert_eq!(render("[$error]"), "[]");
}

#[test]
fn rendering_appends_to_what_is_there() {
    let mut out = b"before ".to_vec();
    Template::parse("$host").unwrap().render(&Names, &mut out);
    assert_eq!(out, b"before <Host>");
}

#[test]
fn a_header_is_named_in_lower_case_with_underscores() {
    let user_agent = HeaderName::from_static("user-agent");
    assert_eq!(
        Variable::find("http_user_agent"),
        Ok(Variable::RequestHeader(user_agent.clone()))
    );
    assert_eq!(
        Variable::find("sent_http_user_agent"),
        Ok(Variable::SentHeader(user_agent.clone()))
    );
    assert_eq!(
        Variable::find("upstream_http_user_agent"),
        Ok(Variable::UpstreamHeader(user_agent))
    );
}

#[test]
fn a_cookie_and_an_argument_keep_their_name() {
    assert_eq!(
        Variable::find("cookie_Session_id"),
        Ok(Variable::Cookie("Session_id".into()))
    );
    assert_eq!(Variable::find("arg_q"), Ok(Variable::Argument("q".into())));
    assert_eq!(Variable::find("args"), Ok(Variable::Arguments));
    assert_eq!(render("${cookie_a.b}"), "<Cookie(\"a.b\")>");
}

#[test]
fn a_group_of_the_route_s_path_keeps_its_name() {
    let group = Variable::PathGroup("Id_2".into());
    assert_eq!(Variable::find("path_Id_2"), Ok(group));
    assert!(matches!(
        Template::parse("$path").unwrap_err().fault,
        Fault::UnknownVariable { .. }
    ));
}

#[test]
fn an_unknown_variable_is_refused_with_its_place_and_the_nearest_name() {
    assert_eq!(
        fault("a $remote_adr b"),
        (
            2,
            "there is no variable $remote_adr; did you mean $remote_addr?".into()
        )
    );
    assert_eq!(
        fault("é${hosst}"),
        (2, "there is no variable $hosst; did you mean $host?".into())
    );
}

#[test]
fn a_name_like_no_other_gets_no_suggestion() {
    let expected = "there is no variable $price; write $$ if a dollar is meant";
    assert_eq!(fault("$price"), (0, expected.into()));
}

#[test]
fn variables_of_nginx_that_are_not_here_are_unknown() {
    for name in ["$ssl_session_id", "$connection", "$geoip_city"] {
        let error = Template::parse(name).unwrap_err();
        assert!(
            matches!(error.fault, Fault::UnknownVariable { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn a_family_without_its_argument_is_refused() {
    assert_eq!(
        fault("x$http_"),
        (
            1,
            "$http_ needs a name after it, as in $http_example".into()
        )
    );
    assert_eq!(fault("$arg_").0, 0);
}

#[test]
fn an_argument_that_is_no_header_name_is_refused() {
    assert!(matches!(
        Template::parse("${http_a b}").unwrap_err().fault,
        Fault::UnknownVariable { .. }
    ));
}

#[test]
fn a_dollar_that_leads_nowhere_is_refused() {
    assert_eq!(
        Template::parse("100$").unwrap_err(),
        TemplateError {
            offset: 3,
            fault: Fault::LoneDollar
        }
    );
    assert_eq!(
        Template::parse("$ host").unwrap_err(),
        TemplateError {
            offset: 0,
            fault: Fault::LoneDollar
        }
    );
    assert_eq!(
        Template::parse("a${}").unwrap_err(),
        TemplateError {
            offset: 1,
            fault: Fault::LoneDollar
        }
    );
    assert_eq!(
        Template::parse("$$${host").unwrap_err(),
        TemplateError {
            offset: 2,
            fault: Fault::Unclosed
        }
    );
}

#[test]
fn a_line_break_in_a_template_is_refused() {
    let (offset, message) = fault("$host\n$uri");
    assert_eq!((offset, message.contains("\\n")), (5, true));
    assert_eq!(render("a\tb"), "a\tb");
}

#[test]
fn the_variables_of_a_template_are_listed() {
    let template = Template::parse("$host $uri $$ $host").unwrap();
    let variables: Vec<_> = template.variables().collect();
    assert_eq!(
        variables,
        [&Variable::Host, &Variable::Path, &Variable::Host]
    );
}

#[test]
fn every_entry_of_the_table_is_found_by_its_name() {
    for entry in &TABLE {
        match &entry.kind {
            Kind::Fixed(variable) => assert_eq!(Variable::find(entry.name).as_ref(), Ok(variable)),
            Kind::Header(make) => {
                let expected = make(HeaderName::from_static("x-y"));
                assert_eq!(Variable::find(&format!("{}x_y", entry.name)), Ok(expected));
            }
            Kind::Name(make) => {
                assert_eq!(
                    Variable::find(&format!("{}x_y", entry.name)),
                    Ok(make("x_y".into()))
                );
            }
        }
    }
}

#[test]
fn no_two_entries_of_the_table_share_a_name_or_a_variable() {
    for (index, entry) in TABLE.iter().enumerate() {
        for other in &TABLE[index + 1..] {
            assert_ne!(entry.name, other.name);
            if let (Kind::Fixed(left), Kind::Fixed(right)) = (&entry.kind, &other.kind) {
                assert_ne!(left, right);
            }
        }
    }
}

#[test]
fn the_table_is_the_vocabulary_of_the_contract() {
    let contract = "host http_ cookie_ arg_ args uri request_uri request_method scheme server_port server_protocol \
        remote_addr remote_port realip_remote_addr proxy_add_x_forwarded_for request_id hostname listener route \
        upstream upstream_addr upstream_status upstream_connect_time upstream_header_time upstream_response_time \
        attempts status bytes_sent body_bytes_sent request_length request_time msec time_iso8601 time_local error \
        ssl_protocol ssl_cipher ssl_server_name ssl_client_s_dn ssl_client_verify sent_http_ upstream_http_ path_";
    let names: Vec<_> = TABLE.iter().map(|entry| entry.name).collect();
    assert_eq!(names, contract.split_whitespace().collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*|[${}a-z_\\n]*") {
        if let Err(error) = Template::parse(&text) {
            prop_assert!(text.is_char_boundary(error.offset));
            prop_assert!(error.offset < text.len());
        }
    }

    #[test]
    fn a_text_with_its_dollars_doubled_renders_as_itself(text in "[ -~é€\\t]*") {
        prop_assert_eq!(render(&text.replace('$', "$$")), text);
    }
}
