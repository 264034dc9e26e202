//! What a process holds, as its kernel counts it.

use std::fs;

pub(super) fn open_files(process: u32) -> usize {
    entries(process, "fd")
}

pub(super) fn threads(process: u32) -> usize {
    entries(process, "task")
}

fn entries(process: u32, what: &str) -> usize {
    let folder = format!("/proc/{process}/{what}");
    fs::read_dir(folder).unwrap().count()
}

/// Its memory that is not shared with files, in KiB.
pub(super) fn memory(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let words = line.unwrap().trim().split(' ').next();
    words.unwrap().parse().unwrap()
}

/// How much the line through these points rises in a unit of their first number, and how high it is in their middle.
pub(super) fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let both: f64 = points
        .iter()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    let width: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    (both / width, y)
}

#[test]
fn a_line_goes_through_its_points() {
    let points: Vec<_> = (0..10).map(f64::from).map(|x| (x, 7.0 + 2.0 * x)).collect();
    assert_eq!(line(&points), (2.0, 16.0));
}
