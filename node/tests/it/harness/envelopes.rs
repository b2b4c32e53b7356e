//! Envelopes `{"type", "payload", "requestId"}` as a transport: to a client they look like events
//! whose argument is the rest of the envelope.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Carries envelopes until either side is gone.
pub(crate) async fn pump(
    mut socket: WebSocketStream<TcpStream>,
    mut bursts: mpsc::Receiver<Vec<String>>,
    packets: mpsc::Sender<String>,
) {
    packets.send("0{}".to_owned()).await.ok();
    loop {
        tokio::select! {
            burst = bursts.recv() => {
                let burst = burst.unwrap_or_default();
                if burst.is_empty() {
                    socket.close(None).await.ok();
                    return;
                }
                for packet in burst {
                    match packet.strip_prefix("42") {
                        Some(event) => {
                            let envelope = sealed(event).to_string();
                            socket.feed(Message::text(envelope)).await.ok();
                        }
                        // Nothing is said on opening one, and nothing on leaving.
                        None if packet.starts_with("40") => {
                            packets.send("40{}".to_owned()).await.ok();
                        }
                        None => (),
                    }
                }
                socket.flush().await.ok();
            }
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    packets.send(opened(text.as_str())).await.ok();
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => (),
                _ => return,
            },
        }
    }
}

fn sealed(event: &str) -> Value {
    let event: Value = serde_json::from_str(event).unwrap();
    let mut envelope = event.get(1).cloned().unwrap_or_else(|| json!({}));
    envelope["type"] = event[0].clone();
    envelope
}

fn opened(text: &str) -> String {
    let mut envelope: Value = serde_json::from_str(text).unwrap();
    let kind = envelope.as_object_mut().unwrap().remove("type").unwrap();
    format!("42{}", json!([kind, envelope]))
}
