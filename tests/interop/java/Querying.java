import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;

/** Looks for messages by key or id; each one found becomes a "found" event of the command. */
final class Querying {
    private static final int NO_MESSAGE = 208;

    private Querying() {
    }

    /** All with the key, stored between begin and end. */
    static void query(DefaultMQProducer producer, Arguments arguments) throws Exception {
        long begin = Long.parseLong(arguments.text("begin", "0"));
        long end = Long.parseLong(arguments.text("end", String.valueOf(Long.MAX_VALUE)));
        try {
            for (MessageExt message : producer.queryMessage(arguments.text("topic"), arguments.text("key"), arguments.number("max", 64), begin, end)
                .getMessageList()) {
                found(arguments, message);
            }
        } catch (MQClientException e) {
            none(e);
        }
    }

    /** The one with the id that its send has returned. */
    static void view(DefaultMQProducer producer, Arguments arguments) throws Exception {
        try {
            MessageExt message = producer.viewMessage(arguments.text("topic"), arguments.text("id"));
            if (message != null) {
                found(arguments, message);
            }
        } catch (MQClientException e) {
            none(e);
        }
    }

    private static void found(Arguments arguments, MessageExt message) {
        String id = Payload.idOf(message.getBody());
        Events.emit("e", "found", "call", arguments.number("call", 0), "id", id == null ? "damaged" : id, "m", message.getMsgId(),
            "t", message.getTopic(), "q", message.getQueueId(), "o", message.getQueueOffset(), "keys", String.valueOf(message.getKeys()),
            "store", message.getStoreTimestamp());
    }

    private static void none(MQClientException e) throws MQClientException {
        if (e.getResponseCode() != NO_MESSAGE) {
            throw e;
        }
    }
}
