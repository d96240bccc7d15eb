import java.nio.ByteBuffer;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.impl.ClientRemotingProcessor;
import org.apache.rocketmq.client.impl.MQClientAPIImpl;
import org.apache.rocketmq.client.impl.mqclient.MQClientAPIExt;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.CommandCustomHeader;
import org.apache.rocketmq.remoting.netty.NettyClientConfig;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RequestCode;
import org.apache.rocketmq.remoting.protocol.body.QueueTimeSpan;
import org.apache.rocketmq.remoting.protocol.body.TopicList;
import org.apache.rocketmq.remoting.protocol.header.NotificationRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.PeekMessageRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.PollingInfoRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.namesrv.RegisterTopicRequestHeader;
import org.apache.rocketmq.remoting.protocol.route.QueueData;
import org.apache.rocketmq.remoting.protocol.route.TopicRouteData;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/**
 * What RocketMQ's administration and client libraries ask of servers and no command of mqadmin does: what dashboards and proxies are made of. Each call prints what it
 * was answered, in an order that does not depend on a hash table.
 */
final class Calls {
    private static final long TIMEOUT = 5000;

    private final DefaultMQAdminExt admin = new DefaultMQAdminExt();
    private MQClientAPIImpl client;

    private Calls() {
    }

    /** One call by its name, at `namesrv`. Its answer as text, or what the library threw. */
    static String run(String name, String namesrv, String[] arguments) throws Exception {
        Calls calls = new Calls();
        calls.admin.setNamesrvAddr(namesrv);
        calls.admin.setAdminExtGroup("calls-" + System.nanoTime());
        calls.admin.setInstanceName(Long.toString(System.nanoTime()));
        calls.admin.start();
        try {
            calls.client = calls.admin.getDefaultMQAdminExtImpl().getMqClientInstance().getMQClientAPIImpl();
            return calls.call(name, arguments);
        } finally {
            calls.admin.shutdown();
        }
    }

    private String call(String name, String[] a) throws Exception {
        switch (name) {
            case "searchOffset":
                return "offset " + admin.searchOffset(new MessageQueue(a[1], a[0], Integer.parseInt(a[2])), Long.parseLong(a[3]));
            case "minOffset":
                return "offset " + admin.minOffset(new MessageQueue(a[1], a[0], Integer.parseInt(a[2])));
            case "maxOffset":
                return "offset " + admin.maxOffset(new MessageQueue(a[1], a[0], Integer.parseInt(a[2])));
            case "earliestMsgStoreTime":
                return "stored at " + admin.earliestMsgStoreTime(new MessageQueue(a[1], a[0], Integer.parseInt(a[2])));
            case "queryConsumeTimeSpan":
                return spans(admin.queryConsumeTimeSpan(a[0], a[1]));
            case "cloneGroupOffset":
                admin.cloneGroupOffset(a[0], a[1], a[2], Boolean.parseBoolean(a[3]));
                return "cloned";
            case "queryTopicsByConsumer":
                return sorted(admin.queryTopicsByConsumer(a[0]));
            case "querySubscription":
                return String.valueOf(admin.querySubscription(a[0], a[1]));
            case "getTopicsByCluster":
                return sorted(client.getTopicsByCluster(a[0], TIMEOUT));
            case "getSystemTopicList":
                return sorted(client.getSystemTopicList(TIMEOUT));
            case "getUnitTopicList":
                return sorted(client.getUnitTopicList(true, TIMEOUT));
            case "getHasUnitSubTopicList":
                return sorted(client.getHasUnitSubTopicList(true, TIMEOUT));
            case "getHasUnitSubUnUnitTopicList":
                return sorted(client.getHasUnitSubUnUnitTopicList(true, TIMEOUT));
            case "queryCorrectionOffset":
                return "offsets " + new TreeMap<>(client.queryCorrectionOffset(a[0], a[1], a[2], Set.of(), TIMEOUT));
            case "getKVListByNamespace":
                return "values " + new TreeMap<>(client.getKVListByNamespace(a[0], TIMEOUT).getTable());
            case "updateAndGetGroupReadForbidden":
                return "readable " + admin.updateAndGetGroupReadForbidden(a[0], a[1], a[2], a.length > 3 ? Boolean.valueOf(a[3]) : null).getReadable();
            case "registerTopic":
                return registerTopic(a[0], a[1]);
            case "notification":
                return notification(a[0], a[1], a[2], Integer.parseInt(a[3]));
            case "pollingInfo":
                return pollingInfo(a[0], a[1], a[2], Integer.parseInt(a[3]));
            case "peek":
                return peek(a[0], a[1], a[2], Integer.parseInt(a[3]), Integer.parseInt(a[4]));
            default:
                throw new IllegalArgumentException("no call of that name: " + name);
        }
    }

    private static String sorted(TopicList topics) {
        return "topics\n" + String.join("\n", new TreeSet<>(topics.getTopicList()));
    }

    private static String spans(List<QueueTimeSpan> spans) {
        StringBuilder text = new StringBuilder();
        spans.sort((x, y) -> Integer.compare(x.getMessageQueue().getQueueId(), y.getMessageQueue().getQueueId()));
        for (QueueTimeSpan span : spans) {
            text.append(span.getMessageQueue().getBrokerName()).append(' ').append(span.getMessageQueue().getQueueId()).append(" from ")
                .append(span.getMinTimeStamp()).append(" to ").append(span.getMaxTimeStamp()).append(" consumed ").append(span.getConsumeTimeStamp())
                .append(span.getDelayTime() == 0 ? " up to date" : " behind").append('\n');
        }
        return text.toString();
    }

    private RemotingCommand ask(String address, int code, CommandCustomHeader header, byte[] body) throws Exception {
        RemotingCommand request = RemotingCommand.createRequestCommand(code, header);
        request.setBody(body);
        return client.getRemotingClient().invokeSync(address, request, TIMEOUT);
    }

    private String registerTopic(String topic, String broker) throws Exception {
        QueueData queues = new QueueData();
        queues.setBrokerName(broker);
        queues.setReadQueueNums(2);
        queues.setWriteQueueNums(2);
        queues.setPerm(6);
        TopicRouteData route = new TopicRouteData();
        route.setQueueDatas(List.of(queues));
        RegisterTopicRequestHeader header = new RegisterTopicRequestHeader();
        header.setTopic(topic);
        return "code " + ask(admin.getNamesrvAddr(), RequestCode.REGISTER_TOPIC_IN_NAMESRV, header, route.encode()).getCode();
    }

    private String notification(String address, String group, String topic, int queue) throws Exception {
        NotificationRequestHeader header = new NotificationRequestHeader();
        header.setConsumerGroup(group);
        header.setTopic(topic);
        header.setQueueId(queue);
        header.setPollTime(300);
        header.setBornTime(System.currentTimeMillis());
        MQClientAPIExt proxy = new MQClientAPIExt(new ClientConfig(), new NettyClientConfig(), new ClientRemotingProcessor(null), null);
        proxy.start();
        try {
            return "has messages " + proxy.notification(address, header, TIMEOUT).get();
        } finally {
            proxy.shutdown();
        }
    }

    private String pollingInfo(String address, String group, String topic, int queue) throws Exception {
        PollingInfoRequestHeader header = new PollingInfoRequestHeader();
        header.setConsumerGroup(group);
        header.setTopic(topic);
        header.setQueueId(queue);
        RemotingCommand answer = ask(address, RequestCode.POLLING_INFO, header, null);
        return "code " + answer.getCode() + " fields " + (answer.getExtFields() == null ? "" : new TreeMap<>(answer.getExtFields()));
    }

    private String peek(String address, String group, String topic, int queue, int most) throws Exception {
        PeekMessageRequestHeader header = new PeekMessageRequestHeader();
        header.setConsumerGroup(group);
        header.setTopic(topic);
        header.setQueueId(queue);
        header.setMaxMsgNums(most);
        RemotingCommand answer = ask(address, RequestCode.PEEK_MESSAGE, header, null);
        StringBuilder text = new StringBuilder("code " + answer.getCode() + '\n');
        if (answer.getBody() != null) {
            for (MessageExt message : MessageDecoder.decodes(ByteBuffer.wrap(answer.getBody()))) {
                text.append(message.getTopic()).append(' ').append(message.getQueueId()).append(' ').append(message.getQueueOffset()).append(' ')
                    .append(message.getKeys()).append('\n');
            }
        }
        return text.toString();
    }
}
