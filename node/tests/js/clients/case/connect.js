import io from 'socket.io-client';

const socket = io('http://localhost:3001/chat', {
  auth: {
    userId: 'user-123',
    caseId: 'case-001',
    role: 'user',
    userName: 'John Doe'
  }
});

socket.on('auth:authenticated', (data) => {
  console.log('Connected:', data);
});
