import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.apis.ClientConfiguration;
import org.apache.rocketmq.client.apis.ClientConfigurationBuilder;
import org.apache.rocketmq.client.apis.ClientServiceProvider;
import org.apache.rocketmq.client.apis.StaticSessionCredentialsProvider;
import org.apache.rocketmq.client.apis.consumer.ConsumeResult;
import org.apache.rocketmq.client.apis.consumer.FilterExpression;
import org.apache.rocketmq.client.apis.consumer.PushConsumer;
import org.apache.rocketmq.client.apis.consumer.SimpleConsumer;
import org.apache.rocketmq.client.apis.message.Message;
import org.apache.rocketmq.client.apis.message.MessageBuilder;
import org.apache.rocketmq.client.apis.message.MessageView;
import org.apache.rocketmq.client.apis.producer.Producer;
import org.apache.rocketmq.client.apis.producer.SendReceipt;
import org.apache.rocketmq.client.apis.producer.Transaction;
import org.apache.rocketmq.client.apis.producer.TransactionResolution;

/**
 * Clients of the gRPC protocol, told what to do as Peer is. Their namesrv= is the address of a proxy.
 *
 * <pre>
 *   producer name= namesrv= topic=
 *   consumer name= namesrv= group= topic= [expression= threads= failures=]     a push consumer
 *   simple   name= namesrv= group= topic= [wait_ms=]                            a simple consumer
 *   receive  name= count= invisible_ms= [ack=0|1 change_ms=]    of a simple consumer: once; what it got are "msg" events
 *   send     name= topic= run= worker= [from= count= size= tags= group= delay_ms=]
 *   transact name= topic= run= worker= local=COMMIT|ROLLBACK|UNKNOWN [count=]   unknown ones are committed when asked
 *   stop     name=
 * </pre>
 */
public final class Grpc {
    private static final ClientServiceProvider PROVIDER = ClientServiceProvider.loadService();
    private static final Map<String, Producer> PRODUCERS = new ConcurrentHashMap<>();
    private static final Map<String, PushConsumer> CONSUMERS = new ConcurrentHashMap<>();
    private static final Map<String, SimpleConsumer> SIMPLE = new ConcurrentHashMap<>();

    private Grpc() {
    }

    public static void main(String[] args) throws Exception {
        Events.startFlusher();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Events.emit("e", "ready");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.trim().split(" +");
            Arguments arguments = new Arguments(words);
            new Thread(() -> run(words[0], arguments), line).start();
        }
        Events.flush();
        Runtime.getRuntime().halt(0);
    }

    private static void run(String verb, Arguments arguments) {
        int call = arguments.number("call", 0);
        try {
            perform(verb, arguments.text("name"), arguments);
            Events.emit("e", "done", "call", call);
        } catch (Throwable e) {
            Events.emit("e", "error", "call", call, "error", e.toString());
        }
    }

    private static void perform(String verb, String name, Arguments arguments) throws Exception {
        switch (verb) {
            case "producer":
                PRODUCERS.put(name, PROVIDER.newProducerBuilder()
                    .setClientConfiguration(configuration(arguments))
                    .setTopics(arguments.text("topic"))
                    .setTransactionChecker(Grpc::check)
                    .build());
                return;
            case "consumer":
                CONSUMERS.put(name, pushConsumer(name, arguments));
                return;
            case "simple":
                SIMPLE.put(name, PROVIDER.newSimpleConsumerBuilder()
                    .setClientConfiguration(configuration(arguments))
                    .setConsumerGroup(arguments.text("group"))
                    .setAwaitDuration(Duration.ofMillis(arguments.number("wait_ms", 3000)))
                    .setSubscriptionExpressions(subscription(arguments))
                    .build());
                return;
            case "receive":
                receive(name, SIMPLE.get(name), arguments);
                return;
            case "send":
                send(PRODUCERS.get(name), arguments);
                return;
            case "transact":
                transact(PRODUCERS.get(name), arguments);
                return;
            case "stop":
                if (PRODUCERS.containsKey(name)) {
                    PRODUCERS.remove(name).close();
                } else if (SIMPLE.containsKey(name)) {
                    SIMPLE.remove(name).close();
                } else {
                    CONSUMERS.remove(name).close();
                }
                return;
            default:
                throw new IllegalArgumentException("unknown command " + verb);
        }
    }

    private static ClientConfiguration configuration(Arguments arguments) {
        ClientConfigurationBuilder builder = ClientConfiguration.newBuilder().setEndpoints(arguments.text("namesrv")).enableSsl(false)
            .setRequestTimeout(Duration.ofSeconds(10));
        String[] user = arguments.text("user", "").split(":", 2);
        return user.length < 2 ? builder.build()
            : builder.setCredentialProvider(new StaticSessionCredentialsProvider(user[0], user[1])).build();
    }

    private static Map<String, FilterExpression> subscription(Arguments arguments) {
        return Collections.singletonMap(arguments.text("topic"),
            new FilterExpression(arguments.text("expression", "*")));
    }

    private static PushConsumer pushConsumer(String name, Arguments arguments) throws Exception {
        int failures = arguments.number("failures", 0);
        return PROVIDER.newPushConsumerBuilder()
            .setClientConfiguration(configuration(arguments))
            .setConsumerGroup(arguments.text("group"))
            .setSubscriptionExpressions(subscription(arguments))
            .setConsumptionThreadCount(arguments.number("threads", 4))
            .setMessageListener(message -> {
                delivered(name, message);
                return message.getDeliveryAttempt() <= failures ? ConsumeResult.FAILURE : ConsumeResult.SUCCESS;
            })
            .build();
    }

    private static void receive(String name, SimpleConsumer consumer, Arguments arguments) throws Exception {
        List<MessageView> messages = consumer.receive(arguments.number("count", 16),
            Duration.ofMillis(arguments.number("invisible_ms", 10_000)));
        for (MessageView message : messages) {
            delivered(name, message);
            if (arguments.number("ack", 1) == 1) {
                consumer.ack(message);
            } else if (arguments.number("change_ms", 0) > 0) {
                consumer.changeInvisibleDuration(message, Duration.ofMillis(arguments.number("change_ms", 0)));
            }
        }
    }

    private static void send(Producer producer, Arguments arguments) {
        int from = arguments.number("from", 0);
        for (int seq = from; seq < from + arguments.number("count", 1); seq++) {
            String id = arguments.text("run") + "." + arguments.text("worker") + "." + seq;
            long begin = System.nanoTime();
            try {
                acknowledged(id, producer.send(message(arguments, id)), begin);
            } catch (Exception e) {
                Events.emit("e", "fail", "id", id, "mode", "sync", "error", e.toString());
            }
        }
    }

    private static void transact(Producer producer, Arguments arguments) {
        for (int seq = 0; seq < arguments.number("count", 1); seq++) {
            String id = arguments.text("run") + "." + arguments.text("worker") + "." + seq;
            long begin = System.nanoTime();
            try {
                Transaction transaction = producer.beginTransaction();
                SendReceipt receipt = producer.send(message(arguments, id), transaction);
                if (arguments.text("local").equals("COMMIT")) {
                    transaction.commit();
                } else if (arguments.text("local").equals("ROLLBACK")) {
                    transaction.rollback();
                }
                acknowledged(id, receipt, begin);
            } catch (Exception e) {
                Events.emit("e", "fail", "id", id, "mode", "transaction", "error", e.toString());
            }
        }
    }

    private static TransactionResolution check(MessageView message) {
        Events.emit("e", "check", "id", String.valueOf(idOf(message)), "t", message.getTopic(), "m", message.getMessageId().toString(),
            "now", System.currentTimeMillis());
        return TransactionResolution.COMMIT;
    }

    private static Message message(Arguments arguments, String id) {
        MessageBuilder builder = PROVIDER.newMessageBuilder().setTopic(arguments.text("topic")).setKeys(id)
            .setBody(Payload.of(id, arguments.number("size", 100)));
        if (!arguments.text("tags", "").isEmpty()) {
            builder.setTag(arguments.text("tags"));
        }
        if (!arguments.text("group", "").isEmpty()) {
            builder.setMessageGroup(arguments.text("group"));
        }
        if (arguments.number("delay_ms", 0) > 0) {
            builder.setDeliveryTimestamp(System.currentTimeMillis() + arguments.number("delay_ms", 0));
        }
        return builder.build();
    }

    private static void acknowledged(String id, SendReceipt receipt, long begin) {
        Events.emit("e", "ack", "id", id, "mode", "grpc", "s", "SEND_OK", "m", receipt.getMessageId().toString(),
            "us", (System.nanoTime() - begin) / 1000, "at", System.currentTimeMillis());
    }

    private static String idOf(MessageView message) {
        ByteBuffer body = message.getBody();
        byte[] bytes = new byte[body.remaining()];
        body.get(bytes);
        return Payload.idOf(bytes);
    }

    private static void delivered(String name, MessageView message) {
        String id = idOf(message);
        Events.emit("e", "msg", "c", name, "id", id == null ? "damaged" : id, "m", message.getMessageId().toString(),
            "tag", message.getTag().orElse("null"), "keys", String.join(" ", message.getKeys()), "r", message.getDeliveryAttempt(),
            "t", message.getTopic(), "born", message.getBornTimestamp(), "now", System.currentTimeMillis());
    }
}
