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

/// The line through points: how much it rises for each unit of their first number, how far that may be off by their spread (a standard
/// error), and how high it is in their middle.
pub(super) struct Line {
    pub(super) slope: f64,
    pub(super) error: f64,
    pub(super) level: f64,
}

impl Line {
    pub(super) fn through(points: &[(f64, f64)]) -> Self {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (x, level) = (mean(|point| point.0), mean(|point| point.1));
        let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
            let around = points.iter().map(|point| (point.0 - x, point.1 - level));
            around.map(|(x, y)| of(x, y)).sum()
        };
        let width = sum(&|x, _| x * x);
        let slope = sum(&|x, y| x * y) / width;
        let spread = sum(&|x, y| (y - slope * x).powi(2)) / (count - 2.0);
        let error = (spread / width).sqrt();
        Self {
            slope,
            error,
            level,
        }
    }
}

#[test]
fn a_line_goes_through_its_points_and_knows_how_well() {
    let points = |noise: f64| -> Vec<_> {
        let point = |x: i32| {
            (
                f64::from(x),
                7.0 + 2.0 * f64::from(x) + noise * f64::from(x % 2),
            )
        };
        (0..10).map(point).collect()
    };
    let line = Line::through(&points(0.0));
    assert_eq!((line.slope, line.error, line.level), (2.0, 0.0, 16.0));
    let line = Line::through(&points(1.0));
    assert!(line.error > 0.0 && (line.slope - 2.0).abs() < 2.0 * line.error);
}
