//! The values of a JSON body that limits ask for, taken in the pass that judges it.

use crate::access::slice;
use crate::limits::list_of;
use crate::schema::{Place, Scalar, ScalarKind};
use portcullis_bundle::layout::{CallerKind, CostKind, View};

/// Bytes of a value that is kept; a longer one reads as absent.
const LONGEST: usize = 4 << 10;

/// Places that are asked for, and what stands there.
#[derive(Debug, Default)]
pub(crate) struct Picks {
    wanted: Vec<Pick>,
}

#[derive(Debug)]
struct Pick {
    /// JSON pointer.
    pointer: Vec<u8>,
    value: Option<Vec<u8>>,
}

impl Picks {
    /// Asks for what the limits of an operation look at; empties the rest.
    pub(crate) fn begin(&mut self, view: &View<'_>, operation: Option<u32>) {
        self.wanted.clear();
        let Some(list) = list_of(view, operation) else { return };
        let (early, count) = (u32::from(list.early.get()), u32::from(list.count.get()));
        let late = count.saturating_sub(early);
        for one in slice(view.limit_uses, list.first.get().saturating_add(early), late) {
            let Some(limit) = view.limits.get(one.limit.get() as usize) else { continue };
            if limit.cost_kind == CostKind::Body.code() {
                self.ask(view.bytes(limit.cost_name));
            }
            let Some(caller) = view.callers.get(limit.caller.get() as usize) else { continue };
            let sources = caller.source_count.get().into();
            for source in slice(view.caller_sources, caller.sources.get(), sources) {
                if source.kind == CallerKind::Body.code() {
                    self.ask(view.bytes(source.name));
                }
            }
        }
    }

    /// Asks for nothing.
    pub(crate) fn clear(&mut self) {
        self.wanted.clear();
    }

    fn ask(&mut self, pointer: &[u8]) {
        if self.wanted.iter().all(|known| known.pointer != pointer) {
            self.wanted.push(Pick { pointer: pointer.to_vec(), value: None });
        }
    }

    /// Whether anything is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Takes a scalar, if it stands where one is asked for.
    pub(crate) fn take(&mut self, scalar: &Scalar<'_>, place: &Place<'_>) {
        if matches!(scalar.kind, ScalarKind::Name | ScalarKind::Null) || scalar.text.len() > LONGEST
        {
            return;
        }
        if self.wanted.iter().any(|pick| pick.value.is_none()) {
            self.put(place.pointer().as_bytes(), scalar.text);
        }
    }

    /// Takes what stands at a pointer.
    pub(crate) fn put(&mut self, pointer: &[u8], text: &[u8]) {
        let asked = self.wanted.iter_mut().find(|pick| pick.pointer == pointer);
        if let Some(pick) = asked.filter(|pick| pick.value.is_none() && text.len() <= LONGEST) {
            pick.value = Some(text.to_vec());
        }
    }

    /// What stands at a pointer.
    pub(crate) fn get(&self, pointer: &[u8]) -> Option<&[u8]> {
        self.wanted.iter().find(|pick| pick.pointer == pointer)?.value.as_deref()
    }
}
