use std::fs;
use std::sync::mpsc;
use std::time::Instant;

use super::outputs::{Recorder, stuck};
use super::writer::Complaints;
use super::*;
use crate::clock::{ManualClock, SystemClock};

/// Long enough for any machine; a test that waits this long has failed.
const DEADLINE: Duration = Duration::from_secs(20);

fn file_sink(path: &Path) -> Sink {
    Sink::open(
        &LogDestination::File(path.to_owned()),
        Arc::new(SystemClock),
    )
    .unwrap()
}

/// A sink over any writer, and the complaints that it makes.
fn sink_over(
    output: impl Write + Send + 'static,
    capacity: usize,
) -> (Sink, mpsc::Receiver<String>) {
    let (sink, accepted, complaints) = sink_with(&[], output, capacity);
    assert!(accepted);
    (sink, complaints)
}

/// The same with lines that wait before its writer starts, and so go into one batch; and whether
/// all were accepted.
fn sink_with(
    lines: &[&str],
    output: impl Write + Send + 'static,
    capacity: usize,
) -> (Sink, bool, mpsc::Receiver<String>) {
    let (sender, complaints) = mpsc::channel();
    let queue = Arc::new(Queue::new(capacity));
    let accepted = lines.iter().all(|line| queue.push(line.as_bytes()));
    let complain = Box::new(move |message: &str| drop(sender.send(message.to_owned())));
    let writer = Writer::new(
        Box::new(output),
        Arc::clone(&queue),
        Arc::new(ManualClock::default()),
        complain,
    );
    (
        Sink::start(LogDestination::Stdout, queue, writer).unwrap(),
        accepted,
        complaints,
    )
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = SystemClock.now();
    while !holds() {
        assert!(
            SystemClock.now() - began < DEADLINE,
            "never happened: {what}"
        );
        thread::yield_now();
    }
}

#[test]
fn lines_reach_the_file_whole_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let sink = file_sink(&path);
    let lines: Vec<_> = (0..5_000).map(|number| format!("line {number}")).collect();
    assert!(lines.iter().all(|line| sink.write(line.as_bytes())));
    assert!(sink.close(DEADLINE));
    assert_eq!(
        fs::read_to_string(&path)
            .unwrap()
            .lines()
            .collect::<Vec<_>>(),
        lines
    );
    assert_eq!(sink.lines_dropped(), 0);
}

#[test]
fn lines_of_many_threads_are_not_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let sink = file_sink(&path);
    thread::scope(|scope| {
        for letter in [b'a', b'b', b'c', b'd'] {
            let sink = &sink;
            scope.spawn(move || {
                (0..500).for_each(|length| assert!(sink.write(&vec![letter; length + 1])))
            });
        }
    });
    assert!(sink.close(DEADLINE));
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2_000);
    assert!(
        text.lines()
            .all(|line| line.bytes().all(|byte| Some(byte) == line.bytes().next()))
    );
}

#[test]
fn a_line_is_written_soon_without_another_one_or_a_close() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let sink = file_sink(&path);
    for expected in ["a\n", "a\na\n"] {
        assert!(sink.write(b"a"));
        eventually("the line is in the file", || {
            fs::read_to_string(&path).unwrap() == expected
        });
    }
}

#[test]
fn many_lines_share_one_write() {
    let recorder = Recorder::default();
    let (sink, accepted, _complaints) = sink_with(&["line"; 1_000], recorder.clone(), CAPACITY);
    assert!(accepted && sink.close(DEADLINE));
    assert_eq!(recorder.text(), "line\n".repeat(1_000));
    assert_eq!(recorder.calls.load(Ordering::Relaxed), 1);
}

#[test]
fn a_file_is_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    fs::write(&path, "before\n").unwrap();
    let (one, other) = (file_sink(&path), file_sink(&path));
    assert!(one.write(b"one") && one.close(DEADLINE));
    assert!(other.write(b"other") && other.close(DEADLINE));
    assert_eq!(fs::read_to_string(&path).unwrap(), "before\none\nother\n");
}

#[test]
fn a_reader_that_stops_costs_lines_and_never_a_wait() {
    let (output, open, inside, behind) = stuck();
    let (sink, complaints) = sink_over(output, 100);
    assert!(sink.write(b"first"));
    inside.recv_timeout(DEADLINE).unwrap();

    let accepted = (0..50).filter(|_| sink.write(b"123456789")).count();
    assert_eq!((accepted, sink.lines_dropped()), (10, 40));

    drop(open);
    assert!(sink.close(DEADLINE));
    assert_eq!(
        behind.text(),
        "first\n".to_owned() + &"123456789\n".repeat(10)
    );
    let complaint = complaints.recv_timeout(DEADLINE).unwrap();
    assert_eq!(
        complaint,
        "40 lines dropped, 40 since the start: they come faster than they can be written"
    );
}

#[test]
fn a_line_larger_than_the_buffer_is_dropped_and_the_next_one_is_not() {
    let recorder = Recorder::default();
    let (sink, _complaints) = sink_over(recorder.clone(), 100);
    assert!(!sink.write(&[b'x'; 100]));
    assert!(sink.write(&[b'y'; 99]));
    assert!(sink.close(DEADLINE));
    assert_eq!((recorder.text().len(), sink.lines_dropped()), (100, 1));
}

#[test]
fn closing_gives_up_on_a_reader_that_has_stopped() {
    let (output, open, inside, _behind) = stuck();
    let (sink, _complaints) = sink_over(output, 100);
    assert!(sink.write(b"line"));
    inside.recv_timeout(DEADLINE).unwrap();
    assert!(!sink.close(Duration::from_millis(1)));
    drop(open);
    assert!(sink.close(DEADLINE));
}

#[test]
fn a_closed_sink_takes_no_lines_and_counts_them() {
    let recorder = Recorder::default();
    let (sink, _complaints) = sink_over(recorder.clone(), CAPACITY);
    assert!(sink.close(DEADLINE));
    assert!(!sink.write(b"late"));
    assert!(sink.close(DEADLINE));
    assert_eq!((recorder.text(), sink.lines_dropped()), (String::new(), 1));
}

#[test]
fn a_dropped_sink_has_written_what_it_accepted() {
    let recorder = Recorder::default();
    let (sink, _complaints) = sink_over(recorder.clone(), CAPACITY);
    (0..100).for_each(|_| assert!(sink.write(b"line")));
    drop(sink);
    assert_eq!(recorder.text(), "line\n".repeat(100));
}

#[test]
fn a_full_disk_costs_lines_and_tears_none_of_the_later_ones() {
    let full = || Err(io::ErrorKind::StorageFull.into());
    let recorder = Recorder::answering([Ok(6), full(), full()]);
    let (sink, accepted, complaints) =
        sink_with(&["one", "two", "three"], recorder.clone(), CAPACITY);
    assert!(accepted);
    eventually("the disk is full", || sink.lines_dropped() == 2);
    assert!(
        complaints
            .recv_timeout(DEADLINE)
            .unwrap()
            .ends_with(&io::Error::from(io::ErrorKind::StorageFull).to_string())
    );

    assert!(sink.write(b"four"));
    eventually("it is still full", || sink.lines_dropped() == 3);
    assert!(sink.write(b"five"));
    assert!(sink.close(DEADLINE));
    assert_eq!(recorder.text(), "one\ntw\nfive\n");
}

#[test]
fn an_interrupted_or_partial_or_non_blocking_write_loses_nothing() {
    let not_now = |kind: io::ErrorKind| Err(kind.into());
    let answers = [
        not_now(io::ErrorKind::Interrupted),
        Ok(2),
        not_now(io::ErrorKind::WouldBlock),
        Ok(1),
    ];
    let recorder = Recorder::answering(answers);
    let (sink, _complaints) = sink_over(recorder.clone(), CAPACITY);
    assert!(sink.write(b"one") && sink.write(b"two"));
    assert!(sink.close(DEADLINE));
    assert_eq!(
        (recorder.text().as_str(), sink.lines_dropped()),
        ("one\ntwo\n", 0)
    );
}

#[test]
fn after_a_rotation_lines_go_to_the_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, rotated) = (
        folder.path().join("access.log"),
        folder.path().join("access.log.1"),
    );
    let sink = file_sink(&path);
    assert!(sink.write(b"old"));
    eventually("the line is in the file", || {
        fs::read_to_string(&path).unwrap() == "old\n"
    });

    fs::rename(&path, &rotated).unwrap();
    sink.reopen().unwrap();
    assert!(sink.write(b"new"));
    assert!(sink.close(DEADLINE));
    assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
    assert_eq!(fs::read_to_string(&rotated).unwrap(), "old\n");
}

#[test]
fn a_rotation_that_cannot_open_the_new_file_says_so_and_keeps_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, rotated) = (
        folder.path().join("access.log"),
        folder.path().join("access.log.1"),
    );
    let sink = file_sink(&path);
    fs::rename(&path, &rotated).unwrap();
    fs::create_dir(&path).unwrap();

    let message = sink.reopen().unwrap_err().to_string();
    assert!(
        message.starts_with(&format!("access log {}: cannot open it: ", path.display())),
        "{message}"
    );
    assert!(
        message.ends_with("; name a file, not a folder"),
        "{message}"
    );
    assert!(sink.write(b"line"));
    assert!(sink.close(DEADLINE));
    assert_eq!(fs::read_to_string(&rotated).unwrap(), "line\n");
}

#[test]
fn a_file_that_cannot_be_opened_is_refused_with_path_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/access.log");
    let error = Sink::open(&LogDestination::File(path.clone()), Arc::new(SystemClock)).unwrap_err();
    let reason = "cannot open it: No such file or directory (os error 2); create its folder";
    assert_eq!(
        error.to_string(),
        format!("access log {}: {reason}", path.display())
    );
}

#[test]
fn a_sink_that_is_off_takes_everything_and_keeps_nothing() {
    let sink = Sink::open(&LogDestination::Off, Arc::new(SystemClock)).unwrap();
    assert!(
        sink.is_off() && sink.write(b"line") && sink.reopen().is_ok() && sink.close(Duration::ZERO)
    );
    assert_eq!(sink.lines_dropped(), 0);
}

#[test]
fn standard_output_and_error_need_no_reopening() {
    for destination in [LogDestination::Stdout, LogDestination::Stderr] {
        let sink = Sink::open(&destination, Arc::new(SystemClock)).unwrap();
        assert!(!sink.is_off() && sink.reopen().is_ok() && sink.close(DEADLINE));
    }
}

#[test]
fn a_complaint_is_made_at_once_and_the_next_one_ten_seconds_later() {
    const QUIET: Duration = Duration::from_secs(10);
    let clock = ManualClock::default();
    let mut complaints = Complaints::default();
    let mut next = |dropped, now: Instant| complaints.next(dropped, now, QUIET);

    assert_eq!(next(0, clock.now()), None);
    assert!(
        next(3, clock.now())
            .unwrap()
            .starts_with("3 lines dropped, 3 since the start")
    );
    clock.advance(QUIET - Duration::from_millis(1));
    assert_eq!(next(5, clock.now()), None);
    clock.advance(Duration::from_millis(1));
    assert!(
        next(8, clock.now())
            .unwrap()
            .starts_with("5 lines dropped, 8 since the start")
    );
    clock.advance(QUIET);
    assert_eq!(next(8, clock.now()), None);
}
