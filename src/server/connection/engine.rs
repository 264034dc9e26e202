//! What Pingora asks of a connection besides its bytes, most of which is nothing.

use std::sync::Arc;

use async_trait::async_trait;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};

use super::Connection;
use crate::server::socket::Socket;

#[async_trait]
impl<S: Socket> Shutdown for Connection<S> {
    async fn shutdown(&mut self) {
        let _ = tokio::io::AsyncWriteExt::shutdown(self).await;
    }
}

impl<S: Socket> UniqueID for Connection<S> {
    fn id(&self) -> UniqueIDType {
        0
    }
}

impl<S: Socket> Ssl for Connection<S> {}

impl<S: Socket> Peek for Connection<S> {}

impl<S: Socket> GetTimingDigest for Connection<S> {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl<S: Socket> GetProxyDigest for Connection<S> {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl<S: Socket> GetSocketDigest for Connection<S> {
    /// Whose connection it is stands in its facts; what Pingora would keep of it, half a kilobyte, nobody asks for.
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        None
    }
}
