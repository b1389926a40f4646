//! Money and quantities, exact: whole numbers of a millionth of a millionth of a dollar, and of a millionth of a unit.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

use serde::{Serialize, Serializer};

use crate::text;

/// Digits after the point of a price.
const USD_DIGITS: u32 = 12;
/// Digits after the point of a quantity.
const QUANTITY_DIGITS: u32 = 6;
/// One cent.
const CENT: i128 = 10_i128.pow(USD_DIGITS - 2);

/// US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd(i128);

/// How much of something is used in a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(i128);

impl Usd {
    pub const ZERO: Self = Self(0);

    /// Reads `0.0000166667`: digits with at most one point, and at most twelve digits after it.
    pub fn parse(text: &str) -> Option<Self> {
        parse(text, USD_DIGITS).map(Self)
    }

    pub fn cents(cents: i128) -> Self {
        Self(cents.saturating_mul(CENT))
    }

    /// A number of a file, to a millionth; `None` below zero and for what no amount is.
    pub fn from_number(number: f64) -> Option<Self> {
        let Quantity(millionths) = Quantity::from_number(number)?;
        Some(Self(millionths.saturating_mul(10_i128.pow(USD_DIGITS - QUANTITY_DIGITS))))
    }

    /// To whole cents, half a cent up, as on an invoice.
    #[must_use]
    pub fn rounded(self) -> Self {
        Self(divided(self.0, CENT).saturating_mul(CENT))
    }

    /// Times a whole number.
    #[must_use]
    pub fn times(self, count: i128) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// What is left after a discount in percent.
    #[must_use]
    pub fn less_percent(self, percent: Quantity) -> Self {
        let whole = Quantity::whole(100);
        Self(divided(self.0.saturating_mul(whole.0 - percent.0), whole.0))
    }

    /// The price of a quantity of which `per` are priced at once.
    #[must_use]
    pub fn of(self, quantity: Quantity, per: u64) -> Self {
        let unit = 10_i128.pow(QUANTITY_DIGITS).saturating_mul(i128::from(per.max(1)));
        Self(divided(self.0.saturating_mul(quantity.0), unit))
    }

    /// All digits of a price, at least two after the point.
    pub fn exact(self) -> String {
        let text = digits(self.0.unsigned_abs(), USD_DIGITS, 2);
        if self.0 < 0 { format!("-{text}") } else { text }
    }

    /// Which part of another amount it is, for a picture: from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "for a picture")]
    pub fn share_of(self, whole: Self) -> f64 {
        if whole.0 <= 0 { 0.0 } else { (self.0 as f64 / whole.0 as f64).clamp(0.0, 1.0) }
    }

    /// With a sign: `+ 219.00`.
    pub fn signed(self) -> String {
        format!("{} {}", if self.0 < 0 { '-' } else { '+' }, Self(self.0.saturating_abs()))
    }
}

/// To whole cents.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.rounded().0 / CENT;
        let sign = if cents < 0 { "-" } else { "" };
        let cents = cents.unsigned_abs();
        f.pad(&format!("{sign}{}.{:02}", grouped(cents / 100), cents % 100))
    }
}

/// Programs get the decimal number as text, which no floating point changes.
impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.exact())
    }
}

impl Add for Usd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Usd {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Add::add)
    }
}

impl Quantity {
    pub const ZERO: Self = Self(0);

    pub fn whole(count: u64) -> Self {
        Self(i128::from(count).saturating_mul(10_i128.pow(QUANTITY_DIGITS)))
    }

    /// Reads `1.5`: digits with at most one point, and at most six digits after it.
    pub fn parse(text: &str) -> Option<Self> {
        parse(text, QUANTITY_DIGITS).map(Self)
    }

    /// A number of a file or of a measurement, to a millionth; `None` for what no quantity is.
    #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
    pub fn from_number(number: f64) -> Option<Self> {
        let scaled = (number * 1e6).round();
        (scaled.is_finite() && (0.0..1e24).contains(&scaled)).then_some(Self(scaled as i128))
    }

    /// `numerator` of `denominator` parts.
    #[must_use]
    pub fn part(self, numerator: u64, denominator: u64) -> Self {
        Self(divided(self.0.saturating_mul(i128::from(numerator)), i128::from(denominator.max(1))))
    }

    #[must_use]
    pub fn times(self, other: Self) -> Self {
        Self(divided(self.0.saturating_mul(other.0), 10_i128.pow(QUANTITY_DIGITS)))
    }

    #[must_use]
    pub fn percent(self, percent: Self) -> Self {
        self.times(percent).part(1, 100)
    }

    /// What of it is above a limit, and not above another.
    #[must_use]
    pub fn between(self, from: Self, to: Option<Self>) -> Self {
        let end = to.map_or(self, |to| self.min(to));
        Self((end.0 - from.0).max(0))
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The next multiple of `step`, or the quantity itself if it is one.
    #[must_use]
    pub fn up_to_multiple(self, step: Self) -> Self {
        let missing = (step.0 - self.0.rem_euclid(step.0.max(1))) % step.0.max(1);
        Self(self.0.saturating_add(missing))
    }

    /// In units of `per`.
    #[must_use]
    pub fn in_units(self, per: u64) -> Self {
        self.part(1, per)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = digits(self.0.unsigned_abs(), QUANTITY_DIGITS, 0);
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let point = if fraction.is_empty() { "" } else { "." };
        f.pad(&format!("{}{point}{fraction}", grouped(whole.parse().unwrap_or(u128::MAX))))
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&digits(self.0.unsigned_abs(), QUANTITY_DIGITS, 0))
    }
}

fn parse(text: &str, after_point: u32) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let has_digits = !whole.is_empty() && (!fraction.is_empty() || !text.contains('.'));
    if !has_digits || !is_digits(whole) || !is_digits(fraction) || whole.len() > 12 {
        return None;
    }
    let missing = after_point.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let number: i128 = format!("{whole}{fraction}").parse().ok()?;
    Some(number * 10_i128.pow(missing))
}

/// Division to the nearest whole number, half away from zero.
fn divided(number: i128, by: i128) -> i128 {
    let half = by / 2;
    (if number < 0 { number.saturating_sub(half) } else { number.saturating_add(half) }) / by
}

fn grouped(number: u128) -> String {
    text::grouped(u64::try_from(number).unwrap_or(u64::MAX))
}

/// A decimal number: without the zeros at its end, but with at least so many digits after the point.
fn digits(number: u128, after_point: u32, at_least: usize) -> String {
    let scale = 10_u128.pow(after_point);
    let fraction = format!("{:0width$}", number % scale, width = after_point as usize);
    let kept = fraction.trim_end_matches('0').len().max(at_least);
    let whole = number / scale;
    if kept == 0 { whole.to_string() } else { format!("{whole}.{}", &fraction[..kept]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        Usd::parse(text).unwrap()
    }

    #[test]
    fn prices_are_read_and_shown_exactly() {
        for text in ["0.0000166667", "3.50", "0.00", "219.00", "0.000000000001"] {
            assert_eq!(usd(text).exact(), text);
        }
        assert_eq!(usd("3").exact(), "3.00");
        assert_eq!(usd("1234567.5").exact(), "1234567.50");
        for text in ["", ".", "1.", ".5", "-1", "1e3", "1,000", "0.0000000000001", "1234567890123", "0.5 "] {
            assert_eq!(Usd::parse(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_are_rounded_as_on_an_invoice() {
        for (text, shown) in [("0.005", "0.01"), ("0.00499", "0.00"), ("1163.995", "1,164.00"), ("818.4", "818.40")] {
            assert_eq!(usd(text).to_string(), shown, "{text}");
        }
        let less = usd("1") - usd("3.505");
        assert_eq!((less.to_string(), less.signed(), less.exact()), ("-2.51".into(), "- 2.51".into(), "-2.505".into()));
    }

    /// 0.1 + 0.2 in floating point is not 0.3, and three million invocations at a fifth of a dollar the million are not
    /// 0.60.
    #[test]
    fn sums_are_those_of_decimal_numbers() {
        assert_eq!(usd("0.1") + usd("0.2"), usd("0.3"));
        assert_eq!(usd("0.20").of(Quantity::whole(3_000_000), 1_000_000), usd("0.6"));
        assert_eq!((0..1000).map(|_| usd("0.001")).sum::<Usd>(), usd("1"));
    }

    #[test]
    fn parts_of_quantities_are_exact_to_a_millionth() {
        let third = Quantity::whole(1).part(1, 3);
        assert_eq!(third.to_string(), "0.333333");
        assert_eq!(Quantity::whole(1_000_000).to_string(), "1,000,000");
        assert_eq!(Quantity::from_number(0.1), Quantity::parse("0.1"));
        assert_eq!(Quantity::whole(200).percent(Quantity::parse("12.5").unwrap()), Quantity::whole(25));
        for number in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            assert_eq!(Quantity::from_number(number), None, "{number}");
        }
    }

    #[test]
    fn nothing_overflows() {
        let (most, price) = (Quantity::from_number(9e17).unwrap(), usd("999999999999"));
        assert!(price.of(most, 1) > Usd::ZERO);
        assert!(price.times(i128::MAX) + price > price);
    }
}
