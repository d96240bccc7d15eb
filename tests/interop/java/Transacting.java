import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * One producer of transactions. What becomes of a message stands on it: "local" is what the local transaction says at once, "check" what is said whenever the
 * broker asks; a comma parts what is said the first time, the second, and from then on. Every begin becomes an "ack" or a "fail" event, every question a "check".
 */
final class Transacting implements TransactionListener {
    private final TransactionMQProducer producer;
    private final String name;

    Transacting(Arguments arguments) throws Exception {
        name = arguments.text("name");
        producer = new TransactionMQProducer(arguments.text("group"), arguments.signing());
        producer.setNamesrvAddr(arguments.text("namesrv"));
        producer.setInstanceName(name);
        producer.setPollNameServerInterval(2000);
        producer.setHeartbeatBrokerInterval(2000);
        producer.setTransactionListener(this);
        producer.start();
    }

    void stop() {
        producer.shutdown();
    }

    void begin(Arguments arguments) throws Exception {
        String prefix = arguments.text("run") + "." + arguments.text("worker") + ".";
        for (int seq = 0; seq < arguments.number("count", 1); seq++) {
            String id = prefix + seq;
            Message message = new Message(arguments.text("topic"), arguments.text("tags", "A"), id, Payload.of(id, 100));
            if (!arguments.text("dispatch", "").isEmpty()) {
                message.putUserProperty("INNER_MULTI_DISPATCH", arguments.text("dispatch"));
            }
            message.putUserProperty("id", id);
            message.putUserProperty("local", arguments.text("local"));
            message.putUserProperty("check", arguments.text("check", "UNKNOW"));
            if (!arguments.text("immunity", "").isEmpty()) {
                message.putUserProperty("CHECK_IMMUNITY_TIME_IN_SECONDS", arguments.text("immunity"));
            }
            try {
                SendResult result = producer.sendMessageInTransaction(message, null);
                Events.emit("e", "ack", "id", id, "mode", "transaction", "s", result.getSendStatus(), "m", result.getMsgId(),
                    "om", String.valueOf(result.getOffsetMsgId()), "q", result.getMessageQueue().getQueueId(),
                    "o", result.getQueueOffset(), "at", System.currentTimeMillis());
            } catch (Exception e) {
                Events.emit("e", "fail", "id", id, "mode", "transaction", "error", e.toString());
            }
        }
    }

    @Override
    public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
        return LocalTransactionState.valueOf(message.getUserProperty("local"));
    }

    @Override
    public LocalTransactionState checkLocalTransaction(MessageExt message) {
        String times = message.getUserProperty("TRANSACTION_CHECK_TIMES");
        Events.emit("e", "check", "p", name, "id", message.getUserProperty("id"), "times", String.valueOf(times),
            "t", message.getTopic(), "m", String.valueOf(message.getTransactionId()), "intact", Payload.idOf(message.getBody()) != null,
            "now", System.currentTimeMillis());
        String[] answers = message.getUserProperty("check").split(",");
        int number = times == null ? 1 : Integer.parseInt(times);
        return LocalTransactionState.valueOf(answers[Math.min(number, answers.length) - 1]);
    }
}
