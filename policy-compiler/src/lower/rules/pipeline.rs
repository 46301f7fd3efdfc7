//! Transformations in an order that costs least, and the steps that pipelines share.

use portcullis_bundle::layout::Transformation;
use std::collections::HashMap;

/// Splits a pipeline into what must run, and whether ASCII case does not count after it: to lower case at the
/// end, or before steps that case does not matter to, costs nothing in an automaton.
pub fn split(transform: &[Transformation]) -> (Vec<Transformation>, bool) {
    use Transformation as T;
    let mut rest = transform.to_vec();
    let mut caseless = false;
    while let Some(last) = rest.iter().rposition(|step| matches!(step, T::Lowercase | T::CmdLine)) {
        if !rest[last + 1..].iter().all(|step| is_blind_to_case(*step)) {
            break;
        }
        // An earlier one that nothing between sees is superfluous too.
        match rest[last] {
            T::CmdLine => rest[last] = T::CmdLineCased,
            _ => _ = rest.remove(last),
        }
        caseless = true;
    }
    (rest, caseless)
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
            | T::CmdLineCased
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

    /// Brings what follows on a step right after it. Gives the new index of each step.
    pub fn sort(&mut self) -> Vec<u16> {
        let mut order = Vec::new();
        let mut open = vec![0];
        while let Some(step) = open.pop() {
            order.push(step);
            let after = (step + 1..self.steps.len() as u16).rev();
            open.extend(after.filter(|at| self.steps[usize::from(*at)].0 == step));
        }
        let mut index = vec![0; order.len()];
        (0..).zip(&order).for_each(|(new, old)| index[usize::from(*old)] = new);
        let moved = order.iter().map(|old| self.steps[usize::from(*old)]);
        self.steps = moved.map(|(parent, step)| (index[usize::from(parent)], step)).collect();
        let places = self.known.drain().map(|((parent, step), own)| {
            ((index[usize::from(parent)], step), index[usize::from(own)])
        });
        self.known = places.collect();
        index
    }

    /// The first step that does not follow on another.
    pub fn after(&self, step: u16) -> u16 {
        let rest = step + 1..self.steps.len() as u16;
        rest.into_iter().find(|at| !self.leads_to(step, *at)).unwrap_or(self.steps.len() as u16)
    }

    /// What is done from a step on to become another that follows on it, both included.
    pub fn between(&self, step: u16, last: u16) -> impl Iterator<Item = Transformation> {
        let parent = move |at: &u16| (*at > step).then(|| self.steps[usize::from(*at)].0);
        let way = std::iter::successors(Some(last), parent).take_while(move |at| *at >= step);
        way.filter_map(|at| self.steps[usize::from(at)].1)
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
        let command = [T::Lowercase, T::CmdLine, T::Trim];
        assert_eq!(split(&command), (vec![T::CmdLineCased, T::Trim], true));
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

    #[test]
    fn what_follows_on_a_step_comes_right_after_it() {
        let mut steps = Steps::default();
        let [url, hex] = [T::UrlDecode, T::HexDecode].map(|first| steps.of(&[first]));
        let [url_trim, hex_trim] =
            [[T::UrlDecode, T::Trim], [T::HexDecode, T::Trim]].map(|pipeline| steps.of(&pipeline));
        let new = steps.sort();
        assert_eq!([url, url_trim, hex, hex_trim].map(|old| new[usize::from(old)]), [1, 2, 3, 4]);
        assert_eq!(steps.steps[4], (3, Some(T::Trim)));
        assert_eq!([0, 1, 2, 3, 4].map(|step| steps.after(step)), [5, 3, 3, 5, 5]);
        assert_eq!(steps.of(&[T::HexDecode, T::Trim]), 4);
    }
}
