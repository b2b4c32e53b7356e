import io from 'socket.io-client';

const socket = io('http://localhost:3000', {
  withCredentials: true,
  transports: ['websocket', 'polling']
});

socket.on('connect', () => {
  console.log('Connected:', socket.id);
  
  // Mark user as online
  socket.emit('userOnline', {
    userId: currentUser.id,
    userType: 'agent'
  });
});

socket.on('disconnect', () => {
  console.log('Disconnected');
});
