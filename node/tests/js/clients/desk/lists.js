// Get room information (admin only)
socket.emit('getRoomStats');

socket.on('roomStatsUpdate', (stats) => {
  console.log('Room stats:', stats);
});

// Monitor online users
socket.on('onlineUsersUpdate', (users) => {
  updateOnlineUsersList(users);
});
