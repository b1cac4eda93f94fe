"""The protocol between gate and server, without a socket: messages, codec, both sides' machines."""
