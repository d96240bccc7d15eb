import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Many RocketMQ clients in one JVM, told what to do line by line on standard input: a verb and key=value words.
 *
 * <pre>
 *   producer name= namesrv= group= [timeout= retries= queues= namespace= trace= unit=]
 *   consumer name= namesrv= group= topic= [expression= sql= listener=concurrent|orderly model= threads= from= sleep_us=
 *            namespace= parent= unit= trace=]      with the topic whose route that of a light queue is
 *   litepull name= namesrv= group= topic= [sql=]
 *   send     name= topic= run= worker= mode=sync|async|oneway|batch|cycle
 *            [from= count= size= tags= keys= number= batch= pause_us= dispatch=]
 *   txproducer name= namesrv= group=
 *   transact name= topic= run= worker= local=COMMIT_MESSAGE|ROLLBACK_MESSAGE|UNKNOW [check=...,... count= tags= immunity= dispatch=]
 *   replier  name= namesrv= group= topic=
 *   request  name= topic= id= body= [wait=]     of a producer; the reply is an "ack" event
 *   query    name= topic= key= [begin= end= max=]
 *   view     name= topic= id=
 *   pause    name=     ends a running send
 *   stop     name=     shuts the client down
 * </pre>
 *
 * A client signs its requests with user=NAME:PASSWORD. Each command has call=N; its end is the event {"e":"done","call":N} or {"e":"error","call":N,"error":...}. Commands
 * run at once, each in a thread of its own. The end of the input ends the process.
 */
public final class Peer {
    private static final Map<String, Producing> PRODUCERS = new ConcurrentHashMap<>();
    private static final Map<String, Consuming> CONSUMERS = new ConcurrentHashMap<>();
    private static final Map<String, Transacting> TRANSACTING = new ConcurrentHashMap<>();
    private static final Map<String, LitePulling> LITE_PULLERS = new ConcurrentHashMap<>();
    private static final Map<String, Replying> REPLIERS = new ConcurrentHashMap<>();

    private Peer() {
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
        Runtime.getRuntime().halt(0); // clients that are still up would keep their threads for a while
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
                PRODUCERS.put(name, new Producing(arguments));
                return;
            case "consumer":
                CONSUMERS.put(name, new Consuming(arguments));
                return;
            case "litepull":
                LITE_PULLERS.put(name, new LitePulling(arguments));
                return;
            case "send":
                PRODUCERS.get(name).send(arguments);
                return;
            case "recall":
                PRODUCERS.get(name).recall(arguments);
                return;
            case "replier":
                REPLIERS.put(name, new Replying(arguments));
                return;
            case "request":
                PRODUCERS.get(name).request(arguments);
                return;
            case "query":
                Querying.query(PRODUCERS.get(name).producer(), arguments);
                return;
            case "view":
                Querying.view(PRODUCERS.get(name).producer(), arguments);
                return;
            case "txproducer":
                TRANSACTING.put(name, new Transacting(arguments));
                return;
            case "transact":
                TRANSACTING.get(name).begin(arguments);
                return;
            case "pause":
                PRODUCERS.get(name).pause();
                return;
            case "stop":
                if (PRODUCERS.containsKey(name)) {
                    PRODUCERS.remove(name).stop();
                } else if (TRANSACTING.containsKey(name)) {
                    TRANSACTING.remove(name).stop();
                } else if (LITE_PULLERS.containsKey(name)) {
                    LITE_PULLERS.remove(name).stop();
                } else if (REPLIERS.containsKey(name)) {
                    REPLIERS.remove(name).stop();
                } else {
                    CONSUMERS.remove(name).stop();
                }
                return;
            default:
                throw new IllegalArgumentException("unknown command " + verb);
        }
    }
}
