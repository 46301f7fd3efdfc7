//! Transformations in an order that costs least, and the steps that pipelines share.

use portcullis_bundle::layout::Transformation;
use std::collections::HashMap;

/// Splits a pipeline into what must run, and whether ASCII case does not count after it: to lower case at the
/// end, or before steps that case does not matter to, costs nothing in an automaton.
pub fn split(transform: &[Transformation]) -> (Vec<Transformation>, bool) {
    let last = transform.iter().rposition(|step| *step == Transformation::Lowercase);
    let Some(last) = last else { return (transform.to_vec(), false) };
    if !transform[last + 1..].iter().all(|step| is_blind_to_case(*step)) {
        return (transform.to_vec(), false);
    }
    let mut rest = transform.to_vec();
    rest.remove(last);
    // An earlier one that nothing between sees is superfluous too.
    (split(&rest).0, true)
}

/// Whether a transformation does the same to letters of both cases.
fn is_blind_to_case(step: Transformation) -> bool {
    use Transformation as T;
    matches!(
        step,
        T::CompressWhitespace
            | T::RemoveWhitespace
            | T::RemoveNulls
            | T::Trim
            | T::TrimLeft
            | T::TrimRight
            | T::ReplaceComments
            | T::NormalizePath
            | T::NormalizePathWin
    )
}

/// The steps of all pipelines: each once for the steps before it.
#[derive(Debug)]
pub struct Steps {
    /// By step: the one before, and what it does. The first does nothing.
    pub steps: Vec<(u16, Option<Transformation>)>,
    known: HashMap<(u16, Transformation), u16>,
}

impl Default for Steps {
    fn default() -> Self {
        Steps { steps: vec![(0, None)], known: HashMap::new() }
    }
}

impl Steps {
    /// The last step of a pipeline.
    pub fn of(&mut self, pipeline: &[Transformation]) -> u16 {
        pipeline.iter().fold(0, |parent, step| {
            *self.known.entry((parent, *step)).or_insert_with(|| {
                self.steps.push((parent, Some(*step)));
                (self.steps.len() - 1) as u16
            })
        })
    }

    /// Whether a step is another, or comes before it.
    pub fn leads_to(&self, step: u16, mut last: u16) -> bool {
        while last > step {
            last = self.steps[usize::from(last)].0;
        }
        last == step
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Transformation as T;

    #[test]
    fn lower_case_moves_to_the_end() {
        assert_eq!(split(&[T::UrlDecode, T::Lowercase]), (vec![T::UrlDecode], true));
        let spaced = [T::Lowercase, T::CompressWhitespace];
        assert_eq!(split(&spaced), (vec![T::CompressWhitespace], true));
        let encoded = [T::Lowercase, T::UrlDecode];
        assert_eq!(split(&encoded), (encoded.to_vec(), false));
    }

    #[test]
    fn pipelines_share_steps() {
        let mut steps = Steps::default();
        let (one, other) = (steps.of(&[T::UrlDecode, T::Trim]), steps.of(&[T::UrlDecode]));
        assert_eq!((one, other, steps.of(&[])), (2, 1, 0));
        assert!(steps.leads_to(1, 2) && steps.leads_to(0, 1) && !steps.leads_to(2, 1));
    }
}
