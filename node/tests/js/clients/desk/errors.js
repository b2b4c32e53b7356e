socket.on('error', (error) => {
  console.error('Socket error:', error);
  
  switch (error.code) {
    case 'AUTH_REQUIRED':
      // Redirect to login
      redirectToLogin();
      break;
    case 'ACCESS_DENIED':
      // Show access denied message
      showErrorMessage('Access denied to this chat room');
      break;
    case 'RATE_LIMIT_EXCEEDED':
      // Show rate limit warning
      showWarning('Please slow down your messages');
      break;
    default:
      showErrorMessage(error.message);
  }
});
