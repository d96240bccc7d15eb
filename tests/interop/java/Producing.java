import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.MessageQueueSelector;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;

/** One producer and what it can be asked to send. Every attempt becomes an "ack" or a "fail" event. */
final class Producing {
    private static final MessageQueueSelector BY_NUMBER = (queues, message, number) ->
        queues.get((Integer) number % queues.size());

    private final DefaultMQProducer producer;
    private final AtomicBoolean stopped = new AtomicBoolean();

    Producing(Arguments arguments) throws Exception {
        producer = new DefaultMQProducer(arguments.text("group"), arguments.signing(), arguments.number("trace", 0) != 0, null);
        if (!arguments.text("namespace", "").isEmpty()) {
            producer.setNamespace(arguments.text("namespace"));
        }
        producer.setNamesrvAddr(arguments.text("namesrv"));
        producer.setInstanceName(arguments.text("name"));
        producer.setUnitMode(arguments.number("unit", 0) != 0);
        producer.setSendMsgTimeout(arguments.number("timeout", 3000));
        producer.setDefaultTopicQueueNums(arguments.number("queues", 4));
        producer.setRetryTimesWhenSendFailed(arguments.number("retries", 2));
        producer.setRetryTimesWhenSendAsyncFailed(arguments.number("retries", 2));
        // A restarted server should be found again within a second or two, not after the default half minute.
        producer.setPollNameServerInterval(2000);
        producer.setHeartbeatBrokerInterval(5000);
        producer.start();
    }

    DefaultMQProducer producer() {
        return producer;
    }

    void stop() {
        stopped.set(true);
        producer.shutdown();
    }

    /** Ends a running send early. */
    void pause() {
        stopped.set(true);
    }

    /**
     * Sends {@code count} messages with ids run.worker.seq, seq from {@code from}, and returns when the fate of each
     * is known. With keys=K message seq belongs to key seq % K, which picks its queue (for ordered consumption).
     * With cycle=1 the mode of message seq is one of the four in turn, in blocks of the batch size.
     */
    void send(Arguments arguments) throws Exception {
        stopped.set(false);
        String mode = arguments.text("mode");
        String prefix = arguments.text("run") + "." + arguments.text("worker") + ".";
        int from = arguments.number("from", 0);
        int count = arguments.number("count", 1);
        int block = arguments.number("batch", 20);
        int pauseMicros = arguments.number("pause_us", 0);
        Semaphore inFlight = new Semaphore(256);
        String[] cycle = {"sync", "async", "oneway", "batch"};
        for (int seq = from; seq < from + count && !stopped.get(); ) {
            String now = mode.equals("cycle") ? cycle[(seq - from) / block % 4] : mode;
            if (now.equals("batch")) {
                int size = Math.min(block, from + count - seq);
                batch(arguments, prefix, seq, size);
                seq += size;
            } else {
                one(arguments, now, prefix, seq, inFlight);
                seq++;
            }
            if (pauseMicros > 0) {
                Thread.sleep(pauseMicros / 1000, pauseMicros % 1000 * 1000);
            }
        }
        inFlight.acquire(256); // every callback has run
    }

    private Message message(Arguments arguments, String prefix, int seq) {
        String[] tags = arguments.text("tags", "").split(",");
        Message message = new Message(arguments.text("topic"), tags[seq % tags.length],
            arguments.text("key", prefix + seq), Payload.of(prefix + seq, arguments.number("size", 100)));
        if (arguments.number("number", 0) != 0) {
            message.putUserProperty("number", String.valueOf(seq)); // for SQL filters
        }
        if (!arguments.text("dispatch", "").isEmpty()) {
            message.putUserProperty("INNER_MULTI_DISPATCH", arguments.text("dispatch")); // to light queues
        }
        if (arguments.number("level", 0) > 0) {
            message.setDelayTimeLevel(arguments.number("level", 0));
        }
        // As Message.setDelayTimeMs and its like of 5.x do; 4.9 has none of them.
        for (String timer : new String[] {"TIMER_DELAY_MS", "TIMER_DELAY_SEC"}) {
            if (!arguments.text(timer, "").isEmpty()) {
                MessageAccessor.putProperty(message, timer, arguments.text(timer));
            }
        }
        if (!arguments.text("deliver_in_ms", "").isEmpty()) {
            MessageAccessor.putProperty(message, "TIMER_DELIVER_MS",
                String.valueOf(System.currentTimeMillis() + arguments.number("deliver_in_ms", 0)));
        }
        return message;
    }

    /** Takes a timer message back, with a client that can (5.3). */
    void recall(Arguments arguments) throws Exception {
        Object id = producer.getClass().getMethod("recallMessage", String.class, String.class)
            .invoke(producer, arguments.text("topic"), arguments.text("handle"));
        Events.emit("e", "ack", "id", arguments.text("as"), "m", id);
    }

    /** Asks and waits for the reply. */
    void request(Arguments arguments) throws Exception {
        String id = arguments.text("id");
        Message message = new Message(arguments.text("topic"), arguments.text("body").getBytes(StandardCharsets.UTF_8));
        long begin = System.nanoTime();
        try {
            Message reply = producer.request(message, arguments.number("wait", 3000));
            Events.emit("e", "ack", "id", id, "mode", "request", "reply", new String(reply.getBody(), StandardCharsets.UTF_8),
                "us", (System.nanoTime() - begin) / 1000);
        } catch (Exception e) {
            failed(id, "request", e);
        }
    }

    private static String recallHandle(SendResult result) {
        try {
            Object handle = result.getClass().getMethod("getRecallHandle").invoke(result);
            return String.valueOf(handle);
        } catch (ReflectiveOperationException e) {
            return "null"; // a client that knows of none
        }
    }

    private void one(Arguments arguments, String mode, String prefix, int seq, Semaphore inFlight) throws Exception {
        Message message = message(arguments, prefix, seq);
        String id = prefix + seq;
        int keys = arguments.number("keys", 0);
        long begin = System.nanoTime();
        try {
            if (mode.equals("oneway")) {
                producer.sendOneway(message);
                Events.emit("e", "oneway", "id", id);
            } else if (mode.equals("async")) {
                inFlight.acquire();
                producer.send(message, new SendCallback() {
                    @Override
                    public void onSuccess(SendResult result) {
                        acknowledged(id, "async", result, begin);
                        inFlight.release();
                    }

                    @Override
                    public void onException(Throwable e) {
                        failed(id, "async", e);
                        inFlight.release();
                    }
                });
            } else if (keys > 0) {
                acknowledged(id, mode, producer.send(message, BY_NUMBER, seq % keys), begin);
            } else {
                acknowledged(id, mode, producer.send(message), begin);
            }
        } catch (Exception e) {
            failed(id, mode, e);
            if (mode.equals("async")) {
                inFlight.release();
            }
        }
    }

    private void batch(Arguments arguments, String prefix, int first, int size) {
        List<Message> messages = new ArrayList<>(size);
        for (int i = 0; i < size; i++) {
            messages.add(message(arguments, prefix, first + i));
        }
        long begin = System.nanoTime();
        try {
            SendResult result = producer.send(messages);
            int ids = result.getOffsetMsgId() == null ? 0 : result.getOffsetMsgId().split(",").length;
            for (int i = 0; i < size; i++) {
                Events.emit("e", "ack", "id", prefix + (first + i), "mode", "batch", "s", result.getSendStatus(),
                    "q", result.getMessageQueue().getQueueId(), "o", result.getQueueOffset() + i,
                    "us", (System.nanoTime() - begin) / 1000, "m", result.getMsgId(), "ids", ids, "n", size);
            }
        } catch (Exception e) {
            for (int i = 0; i < size; i++) {
                failed(prefix + (first + i), "batch", e);
            }
        }
    }

    private static void acknowledged(String id, String mode, SendResult result, long begin) {
        Events.emit("e", "ack", "id", id, "mode", mode, "s", result.getSendStatus(),
            "q", result.getMessageQueue().getQueueId(), "o", result.getQueueOffset(),
            "us", (System.nanoTime() - begin) / 1000, "m", result.getMsgId(), "om", result.getOffsetMsgId(),
            "handle", recallHandle(result), "at", System.currentTimeMillis(), "b", result.getMessageQueue().getBrokerName());
    }

    private static void failed(String id, String mode, Throwable e) {
        Events.emit("e", "fail", "id", id, "mode", mode, "error", e.toString());
    }
}
