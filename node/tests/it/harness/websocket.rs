//! The WebSocket transport: packets to and from one socket.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Moves packets until either side is gone. While `reading` says no, nothing is taken from the
/// socket: what the server writes piles up in the kernel, then at the server.
pub(crate) async fn pump(
    socket: WebSocketStream<TcpStream>,
    mut bursts: mpsc::Receiver<Vec<String>>,
    packets: mpsc::Sender<String>,
    mut reading: watch::Receiver<bool>,
) {
    let (mut sink, mut stream) = socket.split();
    let write = async {
        while let Some(burst) = bursts.recv().await {
            if burst.is_empty() {
                sink.close().await.ok();
                return;
            }
            for packet in burst {
                if sink.feed(Message::text(packet)).await.is_err() {
                    return;
                }
            }
            if sink.flush().await.is_err() {
                return;
            }
        }
    };
    let read = async {
        while reading.wait_for(|it| *it).await.is_ok() {
            tokio::select! {
                _ = reading.changed() => (),
                frame = stream.next() => match frame {
                    Some(Ok(Message::Text(text))) => {
                        if packets.send(text.as_str().to_owned()).await.is_err() {
                            return;
                        }
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => (),
                    _ => return,
                },
            }
        }
    };
    tokio::select! {
        () = read => (),
        () = write => (),
    }
}
