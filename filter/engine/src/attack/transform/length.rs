//! Lengths.

/// The number of bytes, in decimal.
pub(super) fn length(input: &[u8], out: &mut Vec<u8>) {
    let mut rest = input.len();
    loop {
        out.push(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.reverse();
}
