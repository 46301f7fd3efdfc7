//! The few messages of xDS that are spoken here, by hand: Envoy's definitions are a thousand times as many.
//! Numbers of fields: envoy/service/discovery/v3/discovery.proto, envoy/config/core/v3/base.proto.

use crate::current::Resource;
use bytes::{Bytes, BytesMut};
use portcullis_ecds::TYPE_URL;
use prost::encoding::{WireType, encode_key, encode_varint, string};
use prost_types::Struct;

/// `envoy.service.discovery.v3.DiscoveryRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DiscoveryRequest {
    /// The version that was accepted last; empty for none.
    #[prost(string, tag = "1")]
    pub version_info: String,
    /// Who asks; in the first message of a stream.
    #[prost(message, optional, tag = "2")]
    pub node: Option<Node>,
    /// The filters that are subscribed to.
    #[prost(string, repeated, tag = "3")]
    pub resource_names: Vec<String>,
    /// The type of what is asked for.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// Of the response that this one answers.
    #[prost(string, tag = "5")]
    pub response_nonce: String,
    /// Why that response was refused.
    #[prost(message, optional, tag = "6")]
    pub error_detail: Option<Refusal>,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Refusal {
    /// The code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// In words.
    #[prost(string, tag = "2")]
    pub message: String,
}

/// `envoy.config.core.v3.Node`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Node {
    /// Its id.
    #[prost(string, tag = "1")]
    pub id: String,
    /// `portcullis.labels` stand here.
    #[prost(message, optional, tag = "3")]
    pub metadata: Option<Struct>,
    /// `envoy`.
    #[prost(string, tag = "6")]
    pub user_agent_name: String,
    /// Its version.
    #[prost(message, optional, tag = "8")]
    pub user_agent_build_version: Option<BuildVersion>,
}

/// `envoy.config.core.v3.BuildVersion`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BuildVersion {
    /// The number.
    #[prost(message, optional, tag = "1")]
    pub version: Option<SemanticVersion>,
}

/// `envoy.type.v3.SemanticVersion`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SemanticVersion {
    /// Major.
    #[prost(uint32, tag = "1")]
    pub major_number: u32,
    /// Minor.
    #[prost(uint32, tag = "2")]
    pub minor_number: u32,
    /// Patch.
    #[prost(uint32, tag = "3")]
    pub patch: u32,
}

/// An `envoy.service.discovery.v3.DiscoveryResponse` to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The version of the resources.
    pub version: String,
    /// What the answer to this one names.
    pub nonce: String,
    /// The resources.
    pub resources: Vec<Resource>,
}

impl Push {
    /// The message as gRPC frames it (one byte for no compression, four for the length), in pieces: bundles are
    /// shared, whoever gets them.
    pub fn pieces(&self) -> Vec<Bytes> {
        let mut next = BytesMut::new();
        string::encode(1, &self.version, &mut next);
        string::encode(4, &TYPE_URL.to_owned(), &mut next);
        string::encode(5, &self.nonce, &mut next);
        let mut pieces = vec![next.split().freeze()];
        for resource in &self.resources {
            let length: usize = resource.iter().map(Bytes::len).sum();
            let mut any = BytesMut::new();
            string::encode(1, &TYPE_URL.to_owned(), &mut any);
            encode_key(2, WireType::LengthDelimited, &mut any);
            encode_varint(length as u64, &mut any);
            encode_key(2, WireType::LengthDelimited, &mut next);
            encode_varint((any.len() + length) as u64, &mut next);
            next.extend_from_slice(&any);
            pieces.push(next.split().freeze());
            pieces.extend(resource.iter().filter(|it| !it.is_empty()).cloned());
        }
        let length: usize = pieces.iter().map(Bytes::len).sum();
        let mut head = vec![0];
        // Sixteen bundles of 8 MiB are far from four bytes.
        head.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        pieces.insert(0, head.into());
        pieces
    }
}

/// `envoy.service.discovery.v3.DiscoveryResponse`, read.
#[cfg(test)]
#[derive(Clone, PartialEq, prost::Message)]
pub struct DiscoveryResponse {
    /// The version of the resources.
    #[prost(string, tag = "1")]
    pub version_info: String,
    /// The resources.
    #[prost(message, repeated, tag = "2")]
    pub resources: Vec<prost_types::Any>,
    /// Their type.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// What the answer to this one names.
    #[prost(string, tag = "5")]
    pub nonce: String,
}
