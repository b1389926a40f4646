//! The curves of NIST on which Transfer Family takes keys: whether a point is on one (NIST SP 800-186, section 3.2.1).
//! All of it is public, so the time that it takes may depend on it.

/// A number of at most 576 bits, the lowest 64 first.
type Number = [u64; 9];

/// `y² = x³ - 3x + b`, modulo `p`; both in hexadecimal.
pub(super) struct Curve {
    /// Bytes of a coordinate.
    pub(super) size: usize,
    p: &'static str,
    b: &'static str,
}

pub(super) const P256: Curve = Curve {
    size: 32,
    p: "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
    b: "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
};
pub(super) const P384: Curve = Curve {
    size: 48,
    p: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
    b: "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
};
pub(super) const P521: Curve = Curve {
    size: 66,
    p: "1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
        fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    b: "51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e1\
        56193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00",
};

impl Curve {
    /// Whether a point is on the curve; the point at infinity is not.
    pub(super) fn has(&self, x: &[u8], y: &[u8]) -> bool {
        let (p, b, x, y) = (from_hex(self.p), from_hex(self.b), from_bytes(x), from_bytes(y));
        if !less(&x, &p) || !less(&y, &p) {
            return false;
        }
        let cube = product(&product(&x, &x, &p), &x, &p);
        let triple = sum(&sum(&x, &x, &p), &x, &p);
        sum(&product(&y, &y, &p), &triple, &p) == sum(&cube, &b, &p)
    }
}

fn from_bytes(bytes: &[u8]) -> Number {
    let mut number = Number::default();
    for (limb, bytes) in number.iter_mut().zip(bytes.rchunks(8)) {
        *limb = bytes.iter().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
    }
    number
}

fn from_hex(digits: &str) -> Number {
    let mut number = Number::default();
    for (limb, digits) in number.iter_mut().zip(digits.as_bytes().rchunks(16)) {
        let value = |digit: u8| u64::from((digit as char).to_digit(16).unwrap_or_default());
        *limb = digits.iter().fold(0, |limb, digit| limb << 4 | value(*digit));
    }
    number
}

fn less(a: &Number, b: &Number) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

/// `a + b` modulo `p`, for `a` and `b` below `p`.
fn sum(a: &Number, b: &Number, p: &Number) -> Number {
    let (mut sum, mut carry) = (*a, false);
    for (limb, b) in sum.iter_mut().zip(b) {
        let (half, over) = limb.overflowing_add(*b);
        let (whole, over_again) = half.overflowing_add(u64::from(carry));
        (*limb, carry) = (whole, over | over_again);
    }
    if less(&sum, p) {
        return sum;
    }
    let mut borrow = false;
    for (limb, p) in sum.iter_mut().zip(p) {
        let (half, under) = limb.overflowing_sub(*p);
        let (whole, under_again) = half.overflowing_sub(u64::from(borrow));
        (*limb, borrow) = (whole, under | under_again);
    }
    sum
}

/// `a · b` modulo `p`, for `a` below `p`.
fn product(a: &Number, b: &Number, p: &Number) -> Number {
    let mut product = Number::default();
    for limb in b.iter().rev() {
        for bit in (0..u64::BITS).rev() {
            product = sum(&product, &product, p);
            if limb >> bit & 1 == 1 {
                product = sum(&product, a, p);
            }
        }
    }
    product
}
