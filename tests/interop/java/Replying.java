import java.nio.charset.StandardCharsets;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Answers each request of a topic with "reply to " and its body; one whose body says "nothing" gets none. */
final class Replying {
    private final DefaultMQPushConsumer consumer;
    private final DefaultMQProducer producer;

    Replying(Arguments arguments) throws Exception {
        producer = new DefaultMQProducer(arguments.text("group") + "-replies");
        producer.setNamesrvAddr(arguments.text("namesrv"));
        producer.setInstanceName(arguments.text("name") + "-p");
        producer.start();
        consumer = new DefaultMQPushConsumer(arguments.text("group"));
        consumer.setNamesrvAddr(arguments.text("namesrv"));
        consumer.setInstanceName(arguments.text("name"));
        consumer.setPullInterval(0);
        consumer.subscribe(arguments.text("topic"), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                String body = new String(message.getBody(), StandardCharsets.UTF_8);
                if (body.equals("nothing")) {
                    continue;
                }
                try {
                    Message reply = MessageUtil.createReplyMessage(message,
                        ("reply to " + body).getBytes(StandardCharsets.UTF_8));
                    producer.send(reply, 3000);
                } catch (Exception e) {
                    Events.emit("e", "fail", "id", body, "mode", "reply", "error", e.toString());
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
    }

    void stop() {
        consumer.shutdown();
        producer.shutdown();
    }
}
