//! Numbers that schemas accept.

use super::exact::Exact;
use super::text;
use crate::ir::{Number, Schema};

/// A number within all bounds.
pub(super) fn number(schemas: &[&Schema], whole: bool, salt: u32) -> Option<Number> {
    let of = || schemas.iter().map(|schema| &*schema.number);
    let mut low: Option<(Exact, bool)> = None;
    let mut high: Option<(Exact, bool)> = None;
    let below = |a: Exact, b: Exact| {
        let (a, b) = (a.number()?, b.number()?);
        Some(a.compare(&b))
    };
    let mut take_low = |bound: &Number, exclusive: bool| -> Option<()> {
        let bound = Exact::of(bound)?;
        let tighter = match low {
            None => true,
            Some((known, _)) => below(bound, known)?.is_gt() || exclusive && bound == known,
        };
        if tighter {
            low = Some((bound, exclusive));
        }
        Some(())
    };
    for of in of() {
        if let Some(at) = &of.minimum {
            take_low(&at.value, false)?;
        }
        if let Some(at) = &of.exclusive_minimum {
            take_low(&at.value, true)?;
        }
    }
    let ranges =
        || schemas.iter().filter_map(|s| text::number_range(&s.string.format.as_ref()?.value));
    for (least, _) in ranges() {
        take_low(&Number::parse(least)?, false)?;
    }
    let mut take_high = |bound: &Number, exclusive: bool| -> Option<()> {
        let bound = Exact::of(bound)?;
        let tighter = match high {
            None => true,
            Some((known, _)) => below(bound, known)?.is_lt() || exclusive && bound == known,
        };
        if tighter {
            high = Some((bound, exclusive));
        }
        Some(())
    };
    for of in of() {
        if let Some(at) = &of.maximum {
            take_high(&at.value, false)?;
        }
        if let Some(at) = &of.exclusive_maximum {
            take_high(&at.value, true)?;
        }
    }
    for (_, most) in ranges() {
        take_high(&Number::parse(most)?, false)?;
    }
    let steps: Vec<Exact> =
        of().filter_map(|of| Exact::of(&of.multiple_of.as_ref()?.value)).collect();
    let fits = |value: Exact| -> Option<bool> {
        let least = match low {
            None => true,
            Some((bound, exclusive)) => {
                let order = below(value, bound)?;
                order.is_gt() || order.is_eq() && !exclusive
            }
        };
        let most = match high {
            None => true,
            Some((bound, exclusive)) => {
                let order = below(value, bound)?;
                order.is_lt() || order.is_eq() && !exclusive
            }
        };
        let multiple = steps.iter().all(|step| value.is_multiple_of(*step) == Some(true));
        let integer = !whole || value.is_multiple_of(Exact::whole(1)) == Some(true);
        Some(least && most && multiple && integer)
    };
    let mut strides: Vec<Exact> = steps.clone();
    strides.push(Exact::whole(1));
    if !whole {
        strides.extend((1..=9).map(|places| Exact::power(-places)));
    }
    for stride in strides {
        let start = match (low, high) {
            (Some((low, _)), _) => low.ceil_over(stride)?,
            (None, Some((high, _))) => high.ceil_over(stride)?.checked_sub(260)?,
            (None, None) => 1,
        };
        let mut skip = salt;
        for i in 0..300 {
            if fits(stride.times(start + i)?)? {
                if skip == 0 {
                    return stride.times(start + i)?.number();
                }
                skip -= 1;
            }
        }
        if skip < salt {
            // Fewer values than asked for: any of them.
            return number(schemas, whole, 0);
        }
    }
    None
}
