"""The servers that tests start: the real Apache RocketMQ and RingMQ, behind one interface."""
