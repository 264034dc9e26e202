//! How a hello service begins and ends.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod wire_client;

use hello::{Hello, Options};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::net::TcpListener;
use wire_client::{Client, get, refuses, wait_until};

async fn started(options: Options) -> Hello {
    hello::spawn(options).await.unwrap()
}

/// An end that does not come is a failure, not a test that hangs.
async fn in_time<T>(end: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), end)
        .await
        .unwrap()
}

/// A request that has arrived but for its body, five bytes; the 100 says that the service waits for them.
fn in_flight(hello: &Hello) -> Client {
    let mut client = Client::connect(hello.address());
    let answer = client.ask(
        "POST /headers HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(answer.status, 100);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_is_in_flight_and_accepts_no_more() {
    let hello = started(Options::default().grace(Duration::from_secs(3600))).await;
    let address = hello.address();
    let mut client = in_flight(&hello);
    let stop = tokio::spawn(hello.stop());
    wait_until("connections are refused", || refuses(address));
    assert!(!stop.is_finished());
    let answer = client.ask("12345");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(client.is_closed());
    in_time(stop).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_closes_idle_connections() {
    let hello = started(Options::default().grace(Duration::from_secs(3600))).await;
    let mut fresh = Client::connect(hello.address());
    let mut used = Client::connect(hello.address());
    assert_eq!(used.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
    in_time(hello.stop()).await;
    assert!(used.is_closed());
    assert!(fresh.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_cuts_off_what_outlasts_its_grace() {
    let hello = started(Options::default().grace(Duration::from_millis(50))).await;
    let mut client = in_flight(&hello);
    in_time(hello.stop()).await;
    assert!(client.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_closes_everything_at_once() {
    let hello = started(Options::default().grace(Duration::from_secs(3600))).await;
    let address = hello.address();
    let mut busy = in_flight(&hello);
    let mut idle = Client::connect(address);
    in_time(hello.abort()).await;
    assert!(refuses(address));
    assert!(busy.is_closed());
    assert!(idle.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_handle_ends_the_service() {
    let hello = started(Options::default()).await;
    let address = hello.address();
    let mut busy = in_flight(&hello);
    drop(hello);
    assert!(busy.is_closed());
    wait_until("connections are refused", || refuses(address));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_comes_back_on_the_port_it_left() {
    let first = started(Options::default()).await;
    let address = first.address();
    let mut client = Client::connect(address);
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
    in_time(first.abort()).await;
    let second = started(Options::default().address(address)).await;
    assert_eq!(get(address, "/").status, 200);
    in_time(second.stop()).await;
    let third = started(Options::default().address(address)).await;
    assert_eq!(get(third.address(), "/").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_an_error() {
    let first = started(Options::default()).await;
    let second = hello::spawn(Options::default().address(first.address())).await;
    assert_eq!(
        second.map(|_| ()).map_err(|error| error.kind()),
        Err(ErrorKind::AddrInUse)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_bound_already_is_served() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let hello = hello::serve(listener, Options::default()).unwrap();
    assert_eq!(hello.address(), address);
    assert_eq!(get(address, "/").status, 200);
}
