// Join a chat room
socket.emit('joinChatGroup', {
  groupId: chatGroupId,
  userType: 'agent',
  userId: currentUser.id
});

// Listen for room join confirmation
socket.on('joinedRoom', (data) => {
  console.log('Joined room:', data.chatGroupId);
});

// Send a message
const sendMessage = (message) => {
  socket.emit('sendMessage', {
    message: message,
    chatGroupId: currentChatGroup,
    clientId: currentClient.id
  });
};

// Listen for new messages
socket.on('receiveMessage', (messageData) => {
  addMessageToChat(messageData);
});

// Handle typing indicators
const handleTyping = () => {
  socket.emit('typing', {
    chatGroupId: currentChatGroup,
    userType: 'agent',
    userId: currentUser.id
  });
};

socket.on('typing', (data) => {
  showTypingIndicator(data);
});
