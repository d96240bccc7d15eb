"""Real RocketMQ clients and tools against the server under test."""
