//! The coarsest partition of nodes that agrees with their edges (Hopcroft's refinement).
//!
//! In: nodes with a label each and a row of edges, as many for every node of a label. Out: classes such that the
//! nodes of a class have one label and, place by place, edges into the same classes. The work is within
//! `m log n` of `m` edges and `n` nodes, so a chain of any length is no more than its length.

/// The class of each node, and how many classes there are. `row` gives the targets of a node's edges.
pub fn coarsest<'r>(labels: &[u32], row: impl Fn(usize) -> &'r [u32]) -> (Vec<u32>, usize) {
    let mut classes = Classes::new(labels);
    let into = Into::new(labels.len(), &row);
    let mut work: Vec<u32> = (0..classes.len() as u32).collect();
    let mut edges: Vec<(u32, u32)> = Vec::new();
    let mut touched = Vec::new();
    while let Some(splitter) = work.pop() {
        edges.clear();
        for node in classes.members(splitter) {
            edges.extend(into.edges(*node));
        }
        edges.sort_unstable();
        for same_place in edges.chunk_by(|a, b| a.0 == b.0) {
            for (_, from) in same_place {
                classes.mark(*from, &mut touched);
            }
            for class in touched.drain(..) {
                // The smaller part is enough where the whole has been a splitter; where it still waits, the larger
                // part waits in its place.
                work.extend(classes.split(class));
            }
        }
    }
    let count = classes.len();
    (classes.of, count)
}

/// The edges into each node: their places in the rows, and from where.
struct Into {
    first: Vec<u32>,
    edges: Vec<(u32, u32)>,
}

impl Into {
    fn new<'r>(nodes: usize, row: &impl Fn(usize) -> &'r [u32]) -> Self {
        let mut first = vec![0u32; nodes + 1];
        for node in 0..nodes {
            row(node).iter().for_each(|to| first[*to as usize + 1] += 1);
        }
        for node in 0..nodes {
            first[node + 1] += first[node];
        }
        let mut next = first.clone();
        let mut edges = vec![(0, 0); first[nodes] as usize];
        for node in 0..nodes {
            for (place, to) in (0..).zip(row(node)) {
                let at = &mut next[*to as usize];
                edges[*at as usize] = (place, node as u32);
                *at += 1;
            }
        }
        Into { first, edges }
    }

    fn edges(&self, node: u32) -> impl Iterator<Item = (u32, u32)> {
        let range = self.first[node as usize] as usize..self.first[node as usize + 1] as usize;
        self.edges[range].iter().copied()
    }
}

/// Nodes in an order in which each class is a run, those that are marked first.
struct Classes {
    of: Vec<u32>,
    order: Vec<u32>,
    place: Vec<u32>,
    runs: Vec<Run>,
}

#[derive(Clone, Copy)]
struct Run {
    start: u32,
    end: u32,
    marked: u32,
}

impl Classes {
    fn new(labels: &[u32]) -> Self {
        let mut order: Vec<u32> = (0..labels.len() as u32).collect();
        order.sort_by_key(|node| labels[*node as usize]);
        let mut classes = Classes {
            of: vec![0; labels.len()],
            place: vec![0; labels.len()],
            order,
            runs: Vec::new(),
        };
        for at in 0..classes.order.len() {
            let node = classes.order[at] as usize;
            let before = at.checked_sub(1).map(|at| labels[classes.order[at] as usize]);
            if before != Some(labels[node]) {
                classes.runs.push(Run { start: at as u32, end: at as u32, marked: 0 });
            }
            let class = classes.runs.len() - 1;
            classes.runs[class].end += 1;
            (classes.of[node], classes.place[node]) = (class as u32, at as u32);
        }
        classes
    }

    fn len(&self) -> usize {
        self.runs.len()
    }

    fn members(&self, class: u32) -> &[u32] {
        let run = self.runs[class as usize];
        &self.order[run.start as usize..run.end as usize]
    }

    fn mark(&mut self, node: u32, touched: &mut Vec<u32>) {
        let class = self.of[node as usize];
        let run = &mut self.runs[class as usize];
        if run.marked == 0 {
            touched.push(class);
        }
        let (from, to) = (self.place[node as usize], run.start + run.marked);
        run.marked += 1;
        let other = self.order[to as usize];
        self.order.swap(from as usize, to as usize);
        (self.place[node as usize], self.place[other as usize]) = (to, from);
    }

    /// Parts the marked members of a class from the others, if there are both: the smaller part is the new class.
    fn split(&mut self, class: u32) -> Option<u32> {
        let run = &mut self.runs[class as usize];
        let (middle, marked) = (run.start + run.marked, run.marked);
        run.marked = 0;
        let others = run.end - middle;
        if others == 0 {
            return None;
        }
        let part = if marked <= others {
            let part = Run { start: run.start, end: middle, marked: 0 };
            run.start = middle;
            part
        } else {
            let part = Run { start: middle, end: run.end, marked: 0 };
            run.end = middle;
            part
        };
        let new = self.runs.len() as u32;
        self.runs.push(part);
        for at in part.start..part.end {
            self.of[self.order[at as usize] as usize] = new;
        }
        Some(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{HashMap, HashSet};

    /// Moore's refinement, which is plain.
    fn plain(labels: &[u32], rows: &[Vec<u32>]) -> Vec<u32> {
        let mut classes = labels.to_vec();
        let mut count = labels.iter().collect::<HashSet<_>>().len();
        loop {
            let mut seen: HashMap<(u32, Vec<u32>), u32> = HashMap::new();
            let key = |node: usize| {
                (classes[node], rows[node].iter().map(|to| classes[*to as usize]).collect())
            };
            let keys: Vec<_> = (0..labels.len()).map(key).collect();
            classes = keys
                .into_iter()
                .map(|key| {
                    let next = seen.len() as u32;
                    *seen.entry(key).or_insert(next)
                })
                .collect();
            if seen.len() == count {
                return classes;
            }
            count = seen.len();
        }
    }

    proptest! {
        #[test]
        fn agrees_with_plain_refinement(
            nodes in prop::collection::vec((0u32..3, any::<[prop::sample::Index; 3]>()), 1..40)
        ) {
            let labels: Vec<u32> = nodes.iter().map(|(label, _)| *label).collect();
            // Nodes of label 0 have no edges, of label 1 one, of label 2 three.
            let rows: Vec<Vec<u32>> = nodes
                .iter()
                .map(|(label, to)| {
                    let to = to.iter().take([0, 1, 3][*label as usize]);
                    to.map(|to| to.index(labels.len()) as u32).collect()
                })
                .collect();
            let (classes, count) = coarsest(&labels, |node| &rows[node]);
            let expected = plain(&labels, &rows);
            let pairs: HashSet<(u32, u32)> =
                classes.iter().copied().zip(expected.iter().copied()).collect();
            let of: HashSet<u32> = expected.into_iter().collect();
            prop_assert_eq!((pairs.len(), count), (of.len(), of.len()));
        }
    }

    #[test]
    fn a_long_chain_is_told_apart() {
        let count = 200_000u32;
        let labels: Vec<u32> = (0..count).map(|node| u32::from(node + 1 == count)).collect();
        let rows: Vec<Vec<u32>> = (0..count)
            .map(|node| (node + 1 < count).then_some(node + 1).into_iter().collect())
            .collect();
        let (classes, found) = coarsest(&labels, |node| &rows[node]);
        assert_eq!(found, count as usize);
        assert_eq!(classes.iter().collect::<HashSet<_>>().len(), count as usize);
    }
}
