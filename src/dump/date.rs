//! The name of a run: the day it is of.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// A day, as YYYYMMDD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Date(String);

impl Date {
    /// Today's, in UTC, as everything in the members.
    pub fn today() -> Self {
        Self::of(SystemTime::now())
    }

    fn of(moment: SystemTime) -> Self {
        let days = moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
        // Counted from 1 March of the year 0: years that begin in March end with the day that some do not have.
        let days = days + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = 400 * era + year_of_era + u64::from(month <= 2);
        Self(format!("{year:04}{month:02}{day:02}"))
    }
}

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
        let within = |range: std::ops::Range<usize>, last: u8| text[range].parse().is_ok_and(|n| (1..=last).contains(&n));
        if digits && within(4..6, 12) && within(6..8, 31) {
            return Ok(Self(text.to_owned()));
        }
        Err("a date is written as 20261121 is".to_owned())
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_no_date_is_refused() {
        for good in ["20260105", "19991231"] {
            assert_eq!(good.parse::<Date>().unwrap().to_string(), good);
        }
        for bad in ["2026-01-05", "2026015", "20261301", "20260132", "20260100", "2026010a", "２０２６", ""] {
            assert!(bad.parse::<Date>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_day_of_the_calendar() {
        for (seconds, date) in [
            (0, "19700101"),
            (951_782_399, "20000228"),
            (951_782_400, "20000229"),
            (951_868_800, "20000301"),
            (1_735_689_599, "20241231"),
            (1_735_689_600, "20250101"),
            (4_107_542_400, "21000301"),
        ] {
            assert_eq!(Date::of(UNIX_EPOCH + Duration::from_secs(seconds)).to_string(), date);
        }
    }
}
