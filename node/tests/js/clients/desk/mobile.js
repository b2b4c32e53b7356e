import io from 'socket.io-client';

const connectSocket = (token) => {
  const socket = io('http://localhost:3000', {
    extraHeaders: {
      'Authorization': `Bearer ${token}`
    },
    transports: ['websocket']
  });

  socket.on('connect', () => {
    console.log('Mobile client connected');
    
    socket.emit('userOnline', {
      userId: clientId,
      userType: 'client'
    });
  });

  return socket;
};
