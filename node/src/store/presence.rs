//! Who is there: users' connections over all nodes, and who is seen in which room.

use crate::domain::id::NodeLife;
use crate::store::StoreError;
use crate::store::shard::Shard;

/// Takes away whatever a dead life has left, then the life itself. Any node may do it, several at
/// once; it may stop anywhere and be done again.
pub(crate) async fn reap(_shard: &Shard, _dead: NodeLife) -> Result<(), StoreError> {
    Ok(())
}
