//! Days and times of day as people write them: in UTC on the server and in the first frame, then as the browser is
//! set up.

use crate::protocol::Timestamp;

/// Milliseconds in a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Where and how the reader counts days and hours.
pub(crate) trait Calendar {
    /// The day of a moment, counted from 1970-01-01 where the reader is.
    fn day(&self, moment: Timestamp) -> i64;

    /// The time of day, for people.
    fn time(&self, moment: Timestamp) -> String;
}

/// Coordinated universal time, on a clock of 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Utc;

impl Calendar for Utc {
    fn day(&self, moment: Timestamp) -> i64 {
        millis(moment).div_euclid(DAY_MS)
    }

    fn time(&self, moment: Timestamp) -> String {
        let minutes = millis(moment).rem_euclid(DAY_MS) / 60_000;
        [two_digits(minutes / 60), two_digits(minutes % 60)].join(":")
    }
}

/// The browser's time zone, and its reader's way to write times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Local;

impl Calendar for Local {
    fn day(&self, moment: Timestamp) -> i64 {
        let date = super::clock::date(moment);
        (millis(moment) - date.get_timezone_offset() as i64 * 60_000).div_euclid(DAY_MS)
    }

    fn time(&self, moment: Timestamp) -> String {
        super::clock::local_time(moment)
    }
}

fn millis(moment: Timestamp) -> i64 {
    i64::try_from(moment.0).unwrap_or(i64::MAX)
}

fn two_digits(number: i64) -> String {
    let digits = number.to_string();
    if digits.len() < 2 { ["0", &digits].concat() } else { digits }
}

const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A day with its name: "Sunday 22 November 2026".
pub(crate) fn day_name(day: i64) -> String {
    let (year, month, date) = civil(day);
    let weekday = WEEKDAYS[day.rem_euclid(7) as usize];
    [weekday, &date.to_string(), MONTHS[month - 1], &year.to_string()].join(" ")
}

/// Year, month and day of the month of a day since 1970-01-01 (H. Hinnant, "chrono-compatible low-level date
/// algorithms", 2013).
fn civil(day: i64) -> (i64, usize, i64) {
    let shifted = day + 719_468;
    let cycle = shifted.div_euclid(146_097);
    let of_cycle = shifted.rem_euclid(146_097);
    let year_of_cycle = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    // Years of this reckoning begin in March.
    let march_month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_cycle + cycle * 400 + i64::from(month <= 2);
    (year, month as usize, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_names() {
        assert_eq!(day_name(0), "Thursday 1 January 1970");
        assert_eq!(day_name(20_779), "Sunday 22 November 2026");
        assert_eq!(day_name(11_016), "Tuesday 29 February 2000");
        assert_eq!(day_name(-1), "Wednesday 31 December 1969");
    }

    #[test]
    fn utc_counts_24_hours() {
        let moment = Timestamp(20_779 * 86_400_000 + 9 * 3_600_000 + 5 * 60_000 + 59_999);
        assert_eq!(Utc.time(moment), "09:05");
        assert_eq!(Utc.day(moment), 20_779);
        assert_eq!(Utc.day(Timestamp(u64::MAX)), i64::MAX / DAY_MS);
    }
}
