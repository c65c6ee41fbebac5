"""What the exchange tells without being asked: market streams and user data over websockets."""
