import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;

/** One lite pull consumer with a thread that polls it. Every message becomes a "msg" event. */
final class LitePulling {
    private final DefaultLitePullConsumer consumer;
    private final Thread poller;
    private volatile boolean stopped;

    LitePulling(Arguments arguments) throws Exception {
        String name = arguments.text("name");
        consumer = new DefaultLitePullConsumer(arguments.text("group"), arguments.signing());
        consumer.setNamesrvAddr(arguments.text("namesrv"));
        consumer.setInstanceName(name);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        String sql = arguments.text("sql", "");
        if (sql.isEmpty()) {
            consumer.subscribe(arguments.text("topic"), "*");
        } else {
            consumer.subscribe(arguments.text("topic"), MessageSelector.bySql(sql));
        }
        consumer.start();
        poller = new Thread(() -> {
            while (!stopped) {
                for (MessageExt message : consumer.poll(200)) {
                    Events.delivered(name, message, String.valueOf(message.getBrokerName()), 0);
                }
            }
        }, name);
        poller.start();
    }

    void stop() throws InterruptedException {
        stopped = true;
        poller.join(2000);
        consumer.shutdown();
    }
}
