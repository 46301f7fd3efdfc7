//! Whether numbers of many digits are multiples of one another, exactly and without allocation.

use core::cmp::Ordering;
use portcullis_bundle::layout::MAX_MULTIPLE_DIGITS;

/// Digits of a limb.
const LIMB_DIGITS: usize = 9;
const BASE: u64 = 1_000_000_000;
/// Limbs of a divisor, with room for one digit more.
const LIMBS: usize = (MAX_MULTIPLE_DIGITS + 1).div_ceil(LIMB_DIGITS);

/// An integer, its lowest nine digits first.
#[derive(Clone, Copy)]
struct Long([u32; LIMBS]);

/// Whether `digits` followed by `zeros` zeros is a multiple of `divisor`; both in ASCII, as integers. A divisor of zero or
/// of too many digits has no multiples. The work grows with the digits of both.
#[cold]
#[inline(never)]
pub(super) fn is_multiple(
    digits: impl Iterator<Item = u8>,
    zeros: u32,
    divisor: impl Iterator<Item = u8> + Clone,
) -> bool {
    if divisor.clone().count() > MAX_MULTIPLE_DIGITS {
        return false;
    }
    let mut of = Long([0; LIMBS]);
    divisor.for_each(|digit| of.push(digit));
    if of.is_zero() {
        return false;
    }
    // Ten holds no primes but two and five: what zeros can add is known after as many as the divisor has of these.
    let zeros = zeros.min(of.count(2).max(of.count(5)));
    let mut rest = Long([0; LIMBS]);
    for digit in digits.chain(core::iter::repeat_n(b'0', zeros as usize)) {
        rest.push(digit);
        // Nine times, at most.
        while rest.take(&of) {}
    }
    rest.is_zero()
}

impl Long {
    /// Appends a digit.
    fn push(&mut self, digit: u8) {
        let mut carry = u64::from(digit & 15);
        for limb in &mut self.0 {
            let grown = u64::from(*limb) * 10 + carry;
            (*limb, carry) = ((grown % BASE) as u32, grown / BASE);
        }
    }

    fn is_zero(&self) -> bool {
        self.0.iter().all(|limb| *limb == 0)
    }

    /// Subtracts another one, if it is not greater.
    fn take(&mut self, of: &Long) -> bool {
        if self.0.iter().rev().cmp(of.0.iter().rev()) == Ordering::Less {
            return false;
        }
        let mut borrow = 0;
        for (limb, other) in self.0.iter_mut().zip(&of.0) {
            let left = u64::from(*limb) + BASE - u64::from(*other) - borrow;
            (*limb, borrow) = ((left % BASE) as u32, u64::from(left < BASE));
        }
        true
    }

    /// How often it can be divided by a small prime.
    fn count(mut self, prime: u64) -> u32 {
        let mut times = 0;
        loop {
            let mut rest = 0;
            for limb in self.0.iter_mut().rev() {
                let whole = rest * BASE + u64::from(*limb);
                (*limb, rest) = ((whole / prime) as u32, whole % prime);
            }
            if rest != 0 || self.is_zero() {
                return times;
            }
            times += 1;
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn multiple(digits: &str, zeros: u32, divisor: &str) -> bool {
        is_multiple(digits.bytes(), zeros, divisor.bytes())
    }

    #[test]
    fn long_divisors() {
        let long = format!("3{}1", "0".repeat(MAX_MULTIPLE_DIGITS - 2));
        assert!(multiple(&long, 0, &long));
        assert!(multiple(&long, 7, &long));
        assert!(multiple(&format!("9{}3", "0".repeat(MAX_MULTIPLE_DIGITS - 2)), 0, &long));
        assert!(!multiple(&format!("9{}4", "0".repeat(MAX_MULTIPLE_DIGITS - 2)), 0, &long));
        assert!(!multiple(&long, 0, &format!("{long}0")));
        assert!(!multiple("1", u32::MAX, &long));
        // 2^140 needs as many zeros.
        let power = "1393796574908163946345982392040522594123776";
        assert!(multiple("1", 140, power));
        assert!(multiple("1", u32::MAX, power));
        assert!(!multiple("1", 139, power));
        assert!(multiple("0", 0, power));
    }

    proptest! {
        #[test]
        fn as_integers(a in any::<u64>(), b in 1_u64.., c in 0_u64..3, zeros in 0_u32..8) {
            let product = u128::from(a) * u128::from(b) + u128::from(c);
            let whole = product % u128::from(b) * 10_u128.pow(zeros) % u128::from(b) == 0;
            prop_assert_eq!(multiple(&product.to_string(), zeros, &b.to_string()), whole);
        }
    }
}
