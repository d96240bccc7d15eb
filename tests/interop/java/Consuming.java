import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.impl.consumer.DefaultMQPushConsumerImpl;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * One push consumer. Every delivery becomes a "msg" event; with one thread (the default) a consumer's events are in the
 * order of each queue, exactly as the client handed them out.
 */
final class Consuming {
    /** Group, topic and queue -> listeners inside it now: an ordered queue has at most one, over all members. */
    private static final Map<String, AtomicInteger> INSIDE = new ConcurrentHashMap<>();

    private final DefaultMQPushConsumer consumer;
    private final String name;
    private final int sleepMicros;
    /** A message is consumed when it comes for the time after so many; until then it is asked for again. */
    private final int failures;
    private final int retryLevel;

    Consuming(Arguments arguments) throws Exception {
        name = arguments.text("name");
        sleepMicros = arguments.number("sleep_us", 0);
        failures = arguments.number("failures", 0);
        retryLevel = arguments.number("retry_level", 0);
        consumer = new DefaultMQPushConsumer(arguments.text("group"), arguments.signing(), new AllocateMessageQueueAveragely(),
            arguments.number("trace", 0) != 0, null);
        if (!arguments.text("namespace", "").isEmpty()) {
            consumer.setNamespace(arguments.text("namespace"));
        }
        consumer.setNamesrvAddr(arguments.text("namesrv"));
        consumer.setInstanceName(name);
        consumer.setConsumeFromWhere(ConsumeFromWhere.valueOf(
            "CONSUME_FROM_" + arguments.text("from", "FIRST") + "_OFFSET"));
        int threads = arguments.number("threads", 1);
        consumer.setConsumeThreadMin(threads);
        consumer.setConsumeThreadMax(threads);
        consumer.setPollNameServerInterval(arguments.number("poll", 2000));
        consumer.setHeartbeatBrokerInterval(arguments.number("heartbeat", 5000));
        consumer.setPullBatchSize(arguments.number("pull_batch", 32));
        consumer.setMaxReconsumeTimes(arguments.number("max_tries", -1));
        consumer.setUnitMode(arguments.number("unit", 0) != 0);
        if (arguments.number("pop", 0) > 0) {
            popIfTold(arguments.number("pop", 0));
        }
        if (arguments.text("model", "CLUSTERING").equals("BROADCASTING")) {
            broadcast();
        }
        String sql = arguments.text("sql", "");
        if (sql.isEmpty()) {
            consumer.subscribe(arguments.text("topic"), arguments.text("expression", "*"));
        } else {
            consumer.subscribe(arguments.text("topic"), MessageSelector.bySql(sql));
        }
        if (arguments.text("listener", "concurrent").equals("orderly")) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                AtomicInteger inside = INSIDE.computeIfAbsent(
                    consumer.getConsumerGroup() + context.getMessageQueue(), key -> new AtomicInteger());
                int others = inside.getAndIncrement();
                take(messages, context.getMessageQueue(), others);
                inside.decrementAndGet();
                return messages.get(0).getReconsumeTimes() < failures
                    ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : ConsumeOrderlyStatus.SUCCESS;
            });
        } else {
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                take(messages, context.getMessageQueue(), 0);
                if (messages.get(0).getReconsumeTimes() < failures) {
                    context.setDelayLevelWhenNextConsume(retryLevel);
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        }
        try {
            consumer.start();
        } catch (MQClientException refused) {
            consumer.shutdown(); // it has half started
            throw refused;
        }
        if (!arguments.text("parent", "").isEmpty()) {
            knowBrokerOf(arguments.text("parent"), arguments.text("topic"));
        }
    }

    /** A light queue is known to no nameserver: it is where its parent topic is. As RocketMQ's example LMQPushConsumer does. */
    @SuppressWarnings({"unchecked", "rawtypes"}) // of routes: their class moved to another package between 4.9 and 5.x
    private void knowBrokerOf(String parent, String light) {
        DefaultMQPushConsumerImpl impl = consumer.getDefaultMQPushConsumerImpl();
        impl.getmQClientFactory().updateTopicRouteInfoFromNameServer(parent);
        Map routes = impl.getmQClientFactory().getTopicRouteTable();
        routes.put(light, routes.get(parent));
        impl.updateTopicSubscribeInfo(light, new HashSet<>(Arrays.asList(new MessageQueue(light, "broker-a", 0))));
        impl.getmQClientFactory().doRebalance();
    }

    /** Pops where the broker says so (5.x only); what it does not acknowledge in so many seconds comes again. */
    private void popIfTold(int invisibleSeconds) throws Exception {
        DefaultMQPushConsumer.class.getMethod("setClientRebalance", boolean.class).invoke(consumer, false);
        DefaultMQPushConsumer.class.getMethod("setPopInvisibleTime", long.class).invoke(consumer, invisibleSeconds * 1000L);
    }

    /** The enum MessageModel moved to another package between 4.9 and 5.x. */
    @SuppressWarnings({"unchecked", "rawtypes"})
    private void broadcast() throws Exception {
        Class type = DefaultMQPushConsumer.class.getMethod("getMessageModel").getReturnType();
        DefaultMQPushConsumer.class.getMethod("setMessageModel", type).invoke(consumer,
            Enum.valueOf(type, "BROADCASTING"));
    }

    void stop() {
        consumer.shutdown();
    }

    private void take(List<MessageExt> messages, MessageQueue queue, int others) {
        for (MessageExt message : messages) {
            Events.delivered(name, message, queue.getBrokerName(), others);
        }
        if (sleepMicros > 0) {
            try {
                Thread.sleep(sleepMicros / 1000, sleepMicros % 1000 * 1000);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
