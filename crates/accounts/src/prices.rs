//! What DynamoDB and S3 charge for writes.

/// When these prices were read: the price maps of AWS's calculator, as archived in QuinnyPig/aws-price-watcher.
pub(crate) const OF: &str = "June 2025";

/// By region: USD for a million write request units on demand (table class Standard; replicated ones cost the same
/// since November 2024), and for a million PUT requests (storage class S3 Standard).
const PRICES: [(&str, f64, f64); 33] = [
    ("af-south-1", 0.84, 6.0),
    ("ap-east-1", 0.785, 5.0),
    ("ap-east-2", 0.6435, 4.23),
    ("ap-northeast-1", 0.715, 4.7),
    ("ap-northeast-2", 0.68, 4.5),
    ("ap-northeast-3", 0.715, 4.7),
    ("ap-south-1", 0.71, 5.0),
    ("ap-south-2", 0.71, 5.0),
    ("ap-southeast-1", 0.71, 5.0),
    ("ap-southeast-2", 0.71, 5.5),
    ("ap-southeast-3", 0.71, 5.0),
    ("ap-southeast-4", 0.71, 5.5),
    ("ap-southeast-5", 0.64, 4.5),
    ("ap-southeast-7", 0.64, 4.5),
    ("ca-central-1", 0.6875, 5.5),
    ("ca-west-1", 0.6875, 5.5),
    ("eu-central-1", 0.7625, 5.4),
    ("eu-central-2", 0.835, 5.4),
    ("eu-north-1", 0.67, 5.0),
    ("eu-south-1", 0.74, 5.3),
    ("eu-south-2", 0.705, 5.3),
    ("eu-west-1", 0.705, 5.0),
    ("eu-west-2", 0.7423, 5.3),
    ("eu-west-3", 0.7423, 5.3),
    ("il-central-1", 0.85, 5.5),
    ("me-central-1", 0.7755, 5.5),
    ("me-south-1", 0.775, 5.5),
    ("mx-central-1", 0.655, 5.25),
    ("sa-east-1", 0.9375, 7.0),
    ("us-east-1", 0.625, 5.0),
    ("us-east-2", 0.625, 5.0),
    ("us-west-1", 0.695, 5.5),
    ("us-west-2", 0.625, 5.0),
];

fn of(region: &str) -> Option<&'static (&'static str, f64, f64)> {
    PRICES.iter().find(|(known, ..)| *known == region)
}

/// USD for write request units in a region; `None` for a region that is not in the table.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(crate) fn write_units(region: &str, units: u64) -> Option<f64> {
    of(region).map(|(_, price, _)| units as f64 * price / 1e6)
}

/// USD for PUT requests in a region; `None` for a region that is not in the table.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(crate) fn puts(region: &str, requests: u64) -> Option<f64> {
    of(region).map(|(.., price)| requests as f64 * price / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_in_order_and_prices_plausible() {
        assert!(PRICES.is_sorted_by_key(|(region, ..)| *region));
        assert!(PRICES.iter().all(|(_, units, puts)| (0.5..1.5).contains(units) && (4.0..8.0).contains(puts)));
        assert_eq!(write_units("us-west-2", 2_000_000), Some(1.25));
        assert_eq!((puts("us-west-2", 200_000), puts("mars-1", 1)), (Some(1.0), None));
    }
}
