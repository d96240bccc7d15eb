"""The gRPC client for Python: sends messages to a topic and consumes them from there. Prints one JSON object.

  round_trip.py PROXY TOPIC GROUP COUNT

Runs in an environment of its own that has the client; see ../cases_proxy.py.
"""
import json
import sys
import time

from rocketmq import ClientConfiguration, Credentials, FilterExpression, Message, Producer, SimpleConsumer
from rocketmq.v5.exception.client_exception import InternalErrorException


def main():
    proxy, topic, group, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    configuration = ClientConfiguration(proxy, Credentials())
    producer = Producer(configuration, (topic,))
    producer.startup()
    sent = {}
    for number in range(count):
        message = Message()
        message.topic, message.body, message.tag = topic, f'number {number}'.encode(), 'A'
        message.keys = f'key-{number}'
        sent[producer.send(message).message_id] = f'number {number}'
    consumer = SimpleConsumer(configuration, group, {topic: FilterExpression('A')})
    consumer.startup()
    got, deadline = [], time.monotonic() + 60
    while len(got) < count and time.monotonic() < deadline:
        try:
            received = consumer.receive(16, 15) or []
        except InternalErrorException:  # the proxy does not know the client's settings yet, which go by another stream
            time.sleep(0.5)
            continue
        for message in received:
            consumer.ack(message)
            got.append((message.message_id, message.body.decode()))
    consumer.shutdown()
    producer.shutdown()
    print(json.dumps({'sent': sent, 'got': got}))


if __name__ == '__main__':
    main()
