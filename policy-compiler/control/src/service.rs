//! The service's state, shared by all connections.

use crate::current::Current;
use crate::gateways::{Gateways, MOST};
use crate::identity::{Credentials, Identity, Role};
use crate::metrics::{Fleet, Metrics};
use crate::store::{Audit, GatewayRow, Store, StoreError, WITHIN};
use crate::transfers::Transfers;
use crate::xds::Unread;
use crate::{log, tls};
use portcullis_bundle::Trust;
use portcullis_ecds::Filter;
use rustls::pki_types::CertificateDer;
use serde_json::json;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore, watch};

/// Publications that are read and verified at once: each holds a bundle twice.
const PUBLISHING: usize = 4;
/// Streams of xDS of one connection: a gateway has one for each of its filters.
const STREAMS: usize = 16;
/// Requests of one identity that may be before the database at once; its others wait, for so long at most. Whoever asks much
/// waits for themselves.
const ASKING: usize = 4;
/// And its publications at once: whoever sends slowly leaves some of [`PUBLISHING`] to others.
const OWN_PUBLISHING: usize = 2;
/// And those that wait for that: each may have sent as much already as a connection takes, a megabyte.
const OWN_WAITING: usize = 16;
const TURN_WAITS: Duration = Duration::from_secs(5);
/// How long who is refused waits until that is written: a database that hangs has kept them waiting already.
const RECORDED: Duration = Duration::from_secs(5);
/// Identities whose turns are remembered before those that ask nothing are forgotten.
const REMEMBERED: usize = 1024;
/// Fleets that are looked at at once: one of strangers takes some 100 MB.
const LOOKING: usize = 1;
/// Reports written in one transaction.
const REPORTS: usize = 500;

/// What the service is told by its options.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose bundles are taken.
    pub trust: Trust,
    /// The filters that xDS serves, and the policy of each; none where the gateway's label `policy` says it, or
    /// where there is one policy only.
    pub filters: Vec<(Filter, Option<String>)>,
    /// Whether fetching bundles needs an identity.
    pub gateways_identified: bool,
    /// Who is known.
    pub credentials: Option<PathBuf>,
    /// After so long without a word, a gateway counts as silent.
    pub silent_after: Duration,
    /// After so long without a word, a gateway is forgotten.
    pub forget_after: Duration,
    /// What this replica is called in reports.
    pub replica: String,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where they are.
    pub address: SocketAddr,
    /// The names of their certificate.
    pub names: Arc<[String]>,
    /// Ends the connection, whatever is on its way.
    pub end: Arc<Notify>,
    /// Of its streams, one at a time is sent a bundle.
    pub turn: Arc<Semaphore>,
    /// Streams of xDS that it may open still.
    pub streams: Arc<Semaphore>,
}

impl Peer {
    /// A peer, with the certificate that it presented.
    pub fn new(address: SocketAddr, certificate: Option<&CertificateDer<'_>>) -> Peer {
        let names = certificate.map(tls::names).unwrap_or_default().into();
        Peer {
            address,
            names,
            end: Arc::default(),
            turn: Arc::new(Semaphore::new(1)),
            streams: Arc::new(Semaphore::new(STREAMS)),
        }
    }
}

/// Why somebody may not do what they ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Nobody knows who they are.
    Unknown,
    /// They are known, and may not.
    Forbidden(Identity),
}

/// What is known of the credentials file.
#[derive(Debug, Default)]
struct SeenFile {
    /// When it was changed, and its length, as it was read last.
    read: Option<(SystemTime, u64)>,
    /// The same of one that is shorter than that, as it was seen the last time.
    shorter: Option<(SystemTime, u64)>,
    /// Why it cannot be read, as it was told last.
    told: Option<String>,
}

/// What an identity may do at once.
#[derive(Clone, Debug)]
struct Turns {
    asking: Arc<Semaphore>,
    publishing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Turns {
        let of = |most| Arc::new(Semaphore::new(most));
        Turns { asking: of(ASKING), publishing: of(OWN_PUBLISHING), waiting: of(OWN_WAITING) }
    }
}

impl Turns {
    fn are_taken(&self) -> bool {
        let free = (self.asking.available_permits(), self.publishing.available_permits());
        free != (ASKING, OWN_PUBLISHING)
    }
}

/// All there is.
#[derive(Debug)]
pub struct Service {
    /// What is remembered.
    pub store: Store,
    /// What gateways report.
    pub gateways: Gateways,
    /// What is counted.
    pub metrics: Metrics,
    /// What was asked for.
    pub settings: Settings,
    /// Bounds publications at once.
    publishing: Arc<Semaphore>,
    /// Bounds messages of xDS that are not whole.
    pub unread: Arc<Unread>,
    /// Bounds bundles on their way.
    pub transfers: Transfers,
    /// Bounds fleets that are looked at.
    looking: Arc<Semaphore>,
    /// How the gateways of each policy stand, as counted last.
    pub fleets: Mutex<Vec<(String, Fleet)>>,
    current: watch::Sender<Arc<Current>>,
    credentials: watch::Sender<Arc<Credentials>>,
    credentials_seen: Mutex<SeenFile>,
    refreshing: Mutex<()>,
    turns: std::sync::Mutex<HashMap<String, Turns>>,
    loaded: AtomicBool,
    stopping: watch::Sender<bool>,
}

impl Service {
    /// A service over a store. Nothing is loaded yet.
    pub fn new(store: Store, settings: Settings, credentials: Credentials) -> Service {
        Service {
            store,
            gateways: Gateways::default(),
            metrics: Metrics::default(),
            settings,
            publishing: Arc::new(Semaphore::new(PUBLISHING)),
            unread: Arc::default(),
            transfers: Transfers::default(),
            looking: Arc::new(Semaphore::new(LOOKING)),
            fleets: Mutex::default(),
            current: watch::channel(Arc::default()).0,
            credentials: watch::channel(Arc::new(credentials)).0,
            credentials_seen: Mutex::default(),
            refreshing: Mutex::new(()),
            turns: std::sync::Mutex::default(),
            loaded: AtomicBool::new(false),
            stopping: watch::channel(false).0,
        }
    }

    /// What is served now.
    pub fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.borrow())
    }

    /// Tells of every change of what is served.
    pub fn watch(&self) -> watch::Receiver<Arc<Current>> {
        self.current.subscribe()
    }

    /// Tells of every change of who is known.
    pub fn known(&self) -> watch::Receiver<Arc<Credentials>> {
        self.credentials.subscribe()
    }

    /// Becomes true when the service is to end.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Ends streams that would go on, and makes the service not ready.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Whether what is stored was loaded once, and the service is not about to end.
    pub fn is_ready(&self) -> bool {
        self.loaded.load(Ordering::Relaxed) && !*self.stopping.borrow()
    }

    /// Loads what has changed in the database, for somebody who waits for it.
    ///
    /// # Errors
    /// The database; then what was loaded before is served on.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let loaded = tokio::time::timeout(WITHIN, self.load()).await;
        loaded.unwrap_or_else(|_| {
            Err(StoreError::Unavailable("what has changed is still being read".to_owned()))
        })
    }

    /// The same, however long it takes: what all channels lead to, at first.
    ///
    /// # Errors
    /// The database; then what was loaded before is served on.
    pub async fn load(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.refreshing.lock().await;
        if let Some(current) = self.store.load(self.current()).await? {
            self.current.send_replace(Arc::new(current));
        }
        self.loaded.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Writes what gateways have reported. In a fleet that never rests, what comes meanwhile is left for the next time.
    pub async fn flush(&self) {
        for _ in 0..MOST.div_ceil(REPORTS) {
            let rows = self.gateways.take_changed(REPORTS);
            if rows.is_empty() {
                return;
            }
            if self.store.keep_gateways(rows.clone(), self.forgotten_before()).await.is_err() {
                self.gateways.put_back(&rows);
                return;
            }
        }
    }

    /// Counts how the gateways of each policy stand.
    pub async fn count_fleets(self: &Arc<Self>) {
        let current = self.current();
        let mut fleets = Vec::with_capacity(current.policies.len());
        for name in current.policies.keys() {
            let (current, silent_before) = (Arc::clone(&current), self.silent_before());
            let counted = self.look(name, move |name, rows, _| {
                let policy = current.policies.get(name)?;
                Some((name.to_owned(), Fleet::of(policy, name, rows, silent_before)))
            });
            fleets.extend(counted.await.flatten());
        }
        *self.fleets.lock().await = fleets;
    }

    /// Looks at the gateways of a policy, by id, on a thread that serves nobody, one fleet after the other: those of all
    /// replicas, as long as the database answers. Whether it did is told too. None where the service ends.
    pub async fn look<T: Send + 'static>(
        self: &Arc<Self>,
        policy: &str,
        look: impl FnOnce(&str, &[Arc<GatewayRow>], bool) -> T + Send + 'static,
    ) -> Option<T> {
        let turn = Arc::clone(&self.looking).acquire_owned().await.ok()?;
        let stored = match self.store.is_up() {
            true => self.store.gateways(policy.to_owned()).await.ok(),
            false => None,
        };
        let (service, policy) = (Arc::clone(self), policy.to_owned());
        let looked = tokio::task::spawn_blocking(move || {
            let is_complete = stored.is_some();
            let rows = service.gateways.merged(&policy, stored.unwrap_or_default());
            let seen = look(&policy, &rows, is_complete);
            drop((rows, turn));
            seen
        });
        looked.await.ok()
    }

    /// Who was not heard of since counts as silent, in Unix seconds.
    pub fn silent_before(&self) -> i64 {
        now() - self.settings.silent_after.as_secs() as i64
    }

    /// Who was not heard of since is forgotten, in Unix seconds.
    pub fn forgotten_before(&self) -> i64 {
        now() - self.settings.forget_after.as_secs() as i64
    }

    /// Reads the credentials file again where it has changed. One that is wrong changes nothing.
    pub async fn reread_credentials(&self) {
        let Some(path) = &self.settings.credentials else { return };
        let seen = std::fs::metadata(path).ok();
        let seen = seen.and_then(|it| Some((it.modified().ok()?, it.len())));
        let mut before = self.credentials_seen.lock().await;
        if before.read == seen && before.told.is_none() {
            return;
        }
        // Whoever writes it anew may have emptied it and not be done: then it has changed at the next look.
        let is_shorter = before.read.zip(seen).is_some_and(|(read, seen)| seen.1 < read.1);
        if is_shorter && before.shorter != seen {
            before.shorter = seen;
            return;
        }
        // The first time too: the file may have changed since it was read at the start.
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                // It is tried again in a moment: what was revoked must not stay for want of a file descriptor.
                let why = error.to_string();
                if before.told.as_ref() != Some(&why) {
                    let fields = json!({ "why": why });
                    log::warn("credentials cannot be read: the older ones hold", fields);
                }
                before.told = Some(why);
                return;
            }
        };
        *before = SeenFile { read: seen, ..SeenFile::default() };
        match Credentials::parse(&text) {
            Ok(credentials) => {
                if **self.credentials.borrow() == credentials {
                    return;
                }
                self.credentials.send_replace(Arc::new(credentials));
                log::info("credentials read again", json!({}));
            }
            Err(what) => {
                log::warn("credentials are wrong: the older ones hold", json!({ "why": what }));
            }
        }
    }

    /// Who asks, and whether they may. Gateways need no identity where the settings do not ask for one.
    ///
    /// # Errors
    /// Why they may not.
    pub fn identify(
        &self,
        authorization: Option<&str>,
        peer: &Peer,
        role: Role,
        policy: Option<&str>,
    ) -> Result<Identity, Denied> {
        let credentials = Arc::clone(&self.credentials.borrow());
        let bearer = authorization.map(|it| {
            let token =
                it.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            token.map_or("", |(_, token)| token.trim())
        });
        let known = match bearer {
            Some(token) => credentials.by_token(token),
            None => credentials.by_names(&peer.names),
        };
        let open = role == Role::Gateway && !self.settings.gateways_identified;
        let denied = match known {
            Some(identity) if identity.may(role, policy) => return Ok(identity.clone()),
            None if open && bearer.is_none() => {
                let (name, policies) = ("anonymous".to_owned(), Vec::new());
                return Ok(Identity { name, role: Role::Gateway, policies });
            }
            Some(identity) => Denied::Forbidden(identity.clone()),
            None => Denied::Unknown,
        };
        self.metrics.denied.add();
        Err(denied)
    }

    /// Waits for an identity's turn at the database; none where it asks too much.
    pub async fn turn(&self, identity: &str) -> Option<OwnedSemaphorePermit> {
        let own = self.turns(identity).asking;
        tokio::time::timeout(TURN_WAITS, own.acquire_owned()).await.ok()?.ok()
    }

    /// The right to publish: of all, and of the identity's own. None where either is used up.
    pub async fn turn_to_publish(
        &self,
        identity: &str,
    ) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let Turns { publishing: own, waiting, .. } = self.turns(identity);
        let _waiting = waiting.try_acquire_owned().ok()?;
        let own = tokio::time::timeout(TURN_WAITS, own.acquire_owned()).await.ok()?.ok()?;
        Some((own, Arc::clone(&self.publishing).try_acquire_owned().ok()?))
    }

    fn turns(&self, identity: &str) -> Turns {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() >= REMEMBERED && !turns.contains_key(identity) {
            turns.retain(|_, own| own.are_taken());
        }
        turns.entry(identity.to_owned()).or_default().clone()
    }

    /// Writes a line of the audit log for what changed nothing. Where the database is away, the service's own log has
    /// it all the same.
    pub async fn audit(&self, audit: Audit) {
        self.log(&audit);
        let recorded = match self.turn(&audit.identity).await {
            Some(_turn) => match tokio::time::timeout(RECORDED, self.store.record(audit)).await {
                Ok(recorded) => recorded.map_err(|error| error.to_string()),
                Err(_) => Err("the database does not answer".to_owned()),
            },
            None => Err("this identity asks too much at once".to_owned()),
        };
        if let Err(why) = recorded {
            log::warn("the audit log cannot be written", json!({ "why": why }));
        }
    }

    /// Writes a line of the audit log to the service's own.
    pub fn log(&self, audit: &Audit) {
        log::info(
            "audit",
            json!({
                "identity": audit.identity, "role": audit.role, "peer": audit.peer, "action": audit.action,
                "policy": audit.policy, "status": audit.status, "detail": audit.detail,
            }),
        );
    }

    /// The policy of a filter that a gateway names by xDS.
    pub fn policy_of(&self, filter: &str, label: Option<&str>) -> Option<(Filter, String)> {
        let (filter, policy) = self.settings.filters.iter().find(|(it, _)| it.name == filter)?;
        // Which one that is never changes: others that are published later take nothing from a gateway.
        let first = || self.current().first.clone();
        let policy = policy.clone().or_else(|| label.map(str::to_owned)).or_else(first)?;
        Some((filter.clone(), policy))
    }

    /// What is known of a gateway, to report anew.
    pub fn row(&self, policy: &str, gateway: &str, source: &str) -> GatewayRow {
        let known = self.gateways.known(policy, gateway).unwrap_or_default();
        GatewayRow {
            policy: policy.to_owned(),
            gateway: gateway.to_owned(),
            source: source.to_owned(),
            replica: self.settings.replica.clone(),
            last_contact: now(),
            ..known
        }
    }
}

/// Unix seconds.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::new_token;
    use crate::scratch::Folder;
    use crate::store::Place;
    use std::fs;

    #[tokio::test]
    async fn credentials_that_are_being_written_revoke_nobody() {
        let folder = Folder::new("service-credentials");
        let path = folder.join("credentials");
        let settings = Settings {
            trust: Trust::default(),
            filters: Vec::new(),
            gateways_identified: true,
            credentials: Some(path.clone()),
            silent_after: Duration::from_secs(300),
            forget_after: Duration::from_secs(300),
            replica: "a".to_owned(),
        };
        let store = Store::open(&Place::Sqlite(folder.join("control.db"))).unwrap();
        let service = Service::new(store, settings, Credentials::default());
        let (_, hash) = new_token().unwrap();
        let whole = format!("ci publisher token:{hash}\n");
        fs::write(&path, &whole).unwrap();
        service.reread_credentials().await;
        let nobody = || service.known().borrow().is_empty();
        assert!(!nobody());
        // Emptied, and whole a moment later.
        fs::write(&path, "").unwrap();
        service.reread_credentials().await;
        assert!(!nobody());
        fs::write(&path, &whole).unwrap();
        service.reread_credentials().await;
        assert!(!nobody());
        // Emptied, and left so.
        fs::write(&path, "").unwrap();
        service.reread_credentials().await;
        service.reread_credentials().await;
        assert!(nobody());
    }
}
