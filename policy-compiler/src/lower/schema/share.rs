//! Finds nodes that judge every value alike and are told of alike, so that each is written once.
//!
//! In: the graph, cycles and all. Out: the graph's quotient by the coarsest partition in which
//! nodes of a class have the same content and, place by place, children of the same classes
//! (Hopcroft's refinement).

use super::node::{ANY, NEVER, Node, NodeId};
use crate::lower::partition;
use std::collections::HashMap;

/// The nodes reachable from `roots`, each once, and where every old node went. `ANY` and `NEVER`
/// stay first; the others follow in the order in which a breadth-first walk meets them.
pub fn share(nodes: &[Node], roots: &[NodeId]) -> (Vec<Node>, HashMap<NodeId, NodeId>) {
    let classes = refine(nodes);
    let mut order: Vec<usize> = Vec::new();
    let mut place: HashMap<u32, NodeId> = HashMap::new();
    let mut moved = HashMap::new();
    let mut visit = |old: NodeId, order: &mut Vec<usize>| -> NodeId {
        *place.entry(classes[old.0 as usize]).or_insert_with(|| {
            order.push(old.0 as usize);
            NodeId(order.len() as u32 - 1)
        })
    };
    for root in [ANY, NEVER].iter().chain(roots) {
        moved.insert(*root, visit(*root, &mut order));
    }
    let mut shared = Vec::new();
    while shared.len() < order.len() {
        let mut node = nodes[order[shared.len()]].clone();
        node.each_child(|child| *child = visit(*child, &mut order));
        shared.push(node);
    }
    (shared, moved)
}

/// The class of each node.
fn refine(nodes: &[Node]) -> Vec<u32> {
    let mut children: Vec<Vec<u32>> = Vec::with_capacity(nodes.len());
    let mut contents: HashMap<Node, u32> = HashMap::new();
    let mut content: Vec<u32> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut node = node.clone();
        let mut of = Vec::new();
        node.each_child(|child| {
            of.push(child.0);
            *child = ANY;
        });
        children.push(of);
        let next = contents.len() as u32;
        content.push(*contents.entry(node).or_insert(next));
    }
    partition::coarsest(&content, |node| &children[node]).0
}

#[cfg(test)]
mod tests {
    use super::super::node::ArrayPart;
    use super::*;

    fn list_of(items: u32) -> Node {
        let array = ArrayPart {
            prefix: Vec::new(),
            items: NodeId(items),
            min_items: 0,
            max_items: None,
            contains: None,
            unique: false,
            unevaluated: None,
        };
        Node { types: 33, array: Some(array), ..Node::default() }
    }

    #[test]
    fn equal_cycles_become_one() {
        let never = Node::default();
        // 2 and 3 hold each other, 4 holds itself: all the same list.
        let nodes = [Node::any(), never, list_of(3), list_of(2), list_of(4), list_of(0)];
        let (shared, moved) = share(&nodes, &[NodeId(2), NodeId(4), NodeId(5)]);
        assert_eq!(shared.len(), 4);
        assert_eq!(moved[&NodeId(2)], moved[&NodeId(4)]);
        assert_ne!(moved[&NodeId(2)], moved[&NodeId(5)]);
        assert_eq!((moved[&ANY], moved[&NEVER]), (ANY, NEVER));
    }
}
