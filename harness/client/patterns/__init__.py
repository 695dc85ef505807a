"""Patterns of talking to an endpoint: WebSocket alone, polling by REST, or hybrid (post by REST, hear by WebSocket).

Each is a conversation that a session holds as it holds a WebSocket (`conversation.Conversation`), one file each; what
all of them share to speak REST is the `rest_endpoint`.
"""
