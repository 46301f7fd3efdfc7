//! Why a configuration is refused, and how that is named in logs and metrics.

use portcullis_bundle::{ActivationError, OpenError};
use thiserror::Error;

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The configuration's own text.
    #[error("the plugin configuration is not as documented: {0}")]
    Configuration(String),
    /// There are settings, but no bundle.
    #[error("the plugin configuration has no `bundle`")]
    BundleMissing,
    /// The bundle is not base64.
    #[error("`bundle` is not base64: {0}")]
    BundleEncoding(String),
    /// The bundle does not verify.
    #[error("{0}")]
    Bundle(#[from] OpenError),
    /// The bundle is sound, but not for here or now.
    #[error("{0}")]
    Activation(#[from] ActivationError),
    /// A bundle of a higher epoch was activated before.
    #[error("the bundle has epoch {found}, and epoch {activated} was activated before")]
    EpochLower {
        /// The bundle's epoch.
        found: u64,
        /// The highest epoch activated.
        activated: u64,
    },
    /// A bundle of the same epoch and other content was activated before.
    #[error("the bundle has epoch {epoch}, as a bundle of other content that was activated before")]
    EpochReused {
        /// The epoch of both.
        epoch: u64,
    },
}

/// Declares the reasons once.
macro_rules! reasons {
    ( $( $(#[$meta:meta])* $variant:ident = $name:literal; )+ ) => {
        /// The kinds of refusal, for metrics: few and fixed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Reason { $( $(#[$meta])* $variant ),+ }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Reason] = &[ $( Reason::$variant ),+ ];

            /// The name in logs and metrics.
            pub const fn name(self) -> &'static str {
                match self { $( Reason::$variant => $name ),+ }
            }
        }
    };
}

reasons! {
    /// The text of the configuration.
    Configuration = "configuration";
    /// No bundle.
    BundleMissing = "bundle-missing";
    /// No base64.
    BundleEncoding = "bundle-encoding";
    /// Truncated or changed.
    BundleCorrupt = "bundle-corrupt";
    /// Of a format that the filter does not know.
    BundleFormat = "bundle-format";
    /// Unsigned, or signed by nobody who is trusted.
    BundleUntrusted = "bundle-untrusted";
    /// For another gateway.
    Audience = "audience";
    /// Before its time.
    NotYetValid = "not-yet-valid";
    /// After its time.
    Expired = "expired";
    /// Below the least epoch, or one that was activated.
    EpochLower = "epoch-lower";
    /// Of an epoch that was activated with other content.
    EpochReused = "epoch-reused";
}

impl Reason {
    /// Whether the same bundle may be taken later. That time goes back, and with it what has expired, is worth a question
    /// only where nothing else serves: a machine may start before its clock is set.
    pub fn may_pass(self, serves: bool) -> bool {
        self == Reason::NotYetValid || self == Reason::Expired && !serves
    }
}

impl Refusal {
    /// The kind of refusal.
    pub fn reason(&self) -> Reason {
        match self {
            Refusal::Configuration(_) => Reason::Configuration,
            Refusal::BundleMissing => Reason::BundleMissing,
            Refusal::BundleEncoding(_) => Reason::BundleEncoding,
            Refusal::Bundle(error) => match error {
                OpenError::Format { .. } | OpenError::Section { .. } => Reason::BundleFormat,
                OpenError::Unsigned
                | OpenError::UnknownKey { .. }
                | OpenError::BadKey { .. }
                | OpenError::Signature { .. } => Reason::BundleUntrusted,
                _ => Reason::BundleCorrupt,
            },
            Refusal::Activation(error) => match error {
                ActivationError::Audience { .. } => Reason::Audience,
                ActivationError::NotYet { .. } => Reason::NotYetValid,
                ActivationError::Expired { .. } => Reason::Expired,
                ActivationError::Epoch { .. } => Reason::EpochLower,
            },
            Refusal::EpochLower { .. } => Reason::EpochLower,
            Refusal::EpochReused { .. } => Reason::EpochReused,
        }
    }

    /// Whether the same configuration is refused wherever and whenever it is read: then the main
    /// thread refused it too, and no worker ever sees it.
    pub fn is_deterministic(&self) -> bool {
        match self {
            Refusal::Activation(error) => {
                !matches!(error, ActivationError::NotYet { .. } | ActivationError::Expired { .. })
            }
            Refusal::EpochLower { .. } | Refusal::EpochReused { .. } => false,
            _ => true,
        }
    }
}
