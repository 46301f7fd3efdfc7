//! What limits count of a request after it was admitted: by its answer's status, and at its end.

use super::Http;
use crate::generation::Served;
use crate::headers::Fields;
use crate::host::Host;
use crate::limits::Around;
use crate::metrics::Event;
use portcullis_bundle::layout::{LimitMode, View};
use portcullis_engine::exchange::Exchange;
use portcullis_engine::limits::{Asking, Exceeded, Ticket};

/// The header field that tells the upstream of limits that the caller is beyond.
const TAG: &str = "x-portcullis-limit";

/// A ticket, and the generation that gave it.
#[derive(Debug)]
pub(super) struct Owed {
    generation: Served,
    ticket: Ticket,
}

impl<H: Host> Http<H> {
    /// What the engine's limits see of the proxy.
    pub(super) fn around<'a>(&'a self, generation: &'a Served) -> Around<'a, H> {
        let holds = generation.settings.hold_headers;
        Around {
            host: &self.vm.host,
            table: generation.table.as_ref(),
            metrics: self.vm.metrics(),
            asking: generation.service_key.map(|key| Asking { key, holds }),
        }
    }

    /// Takes over what the request owes the table of counts.
    pub(super) fn owe(&mut self, generation: &Served, exchange: &mut Exchange) {
        let Some(ticket) = exchange.take_ticket() else { return };
        match &mut self.owed {
            Some(owed) => owed.ticket.join(ticket),
            None => self.owed = Some(Owed { generation: generation.clone(), ticket }),
        }
    }

    /// Counts what the answer's status decides.
    pub(super) fn settle_answer(&mut self) {
        let Some(mut owed) = self.owed.take() else { return };
        if owed.ticket.awaits_answer() {
            let status = self.status();
            let is_counted = self.with_view(&owed.generation, |view, around| {
                owed.ticket.settle(view, status, around);
            });
            self.note_uncounted(is_counted);
        }
        self.owed = (!owed.ticket.is_empty()).then_some(owed);
    }

    /// Gives back what the request held, and counts an answer that never came.
    pub(super) fn settle_end(&mut self) {
        let Some(Owed { generation, ticket }) = self.owed.take() else { return };
        let is_counted = self.with_view(&generation, |view, around| ticket.end(view, around));
        self.note_uncounted(is_counted);
    }

    /// What a request still owed when its bundle was taken away lapses by itself.
    fn note_uncounted(&self, is_counted: bool) {
        if !is_counted {
            self.vm.metrics().count_event(Event::LimitUncounted, 1);
        }
    }

    /// The same for a request whose body is judged as it streams by.
    pub(super) fn tag_early(&self) {
        let (Some(generation), Some(exchange)) = (&self.generation, &self.exchange) else { return };
        self.with_view(generation, |view, _| self.tag(view, exchange.limited()));
    }

    /// Tells the upstream of limits that the caller is beyond, where they ask for it.
    pub(super) fn tag(&self, view: &View<'_>, limited: &[Exceeded]) {
        let mut names: Vec<&str> = Vec::new();
        for one in limited.iter().filter(|it| it.mode == LimitMode::Tag) {
            let limit = usize::try_from(one.limit).ok().and_then(|at| view.limits.get(at));
            let name = limit.map_or("", |limit| view.text(limit.name));
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if !names.is_empty() {
            self.vm.host.set_request_header(TAG, &names.join(", "));
        }
    }

    /// Runs a step on a generation's bundle. False where the bundle is gone.
    fn with_view(&self, generation: &Served, step: impl FnOnce(&View<'_>, &Around<'_, H>)) -> bool {
        let Ok(bundle) = generation.bundle.try_borrow() else { return false };
        let Some(bundle) = bundle.as_ref() else { return false };
        step(&bundle.view(), &self.around(generation));
        true
    }

    /// The answer's status; 500 where it cannot be read.
    fn status(&self) -> u16 {
        let bytes = self.vm.host.response_headers();
        let fields = bytes.as_deref().and_then(Fields::parse);
        let status = fields.and_then(|fields| {
            let field = fields.as_slice().iter().find(|(name, _)| *name == b":status")?;
            core::str::from_utf8(field.1).ok()?.parse().ok()
        });
        status.unwrap_or(500)
    }
}
