import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import org.apache.rocketmq.common.message.MessageExt;

/** Writes one JSON object a line. Lines of all threads come out whole, and in the order in which they happened. */
final class Events {
    private static final OutputStream OUT = new BufferedOutputStream(System.out, 1 << 16);
    /** Each event is out before the call returns, so that kill -9 takes none: -Dpeer.flushEach=true. */
    private static final boolean FLUSH_EACH = Boolean.getBoolean("peer.flushEach");
    private static long unflushed;

    static {
        System.setOut(System.err); // the clients' own logging prints warnings on standard output
    }

    private Events() {
    }

    /** {@code fields} alternates names and values; strings are quoted, everything else is written as it is. */
    static void emit(Object... fields) {
        StringBuilder line = new StringBuilder(160).append('{');
        for (int i = 0; i < fields.length; i += 2) {
            if (i > 0) {
                line.append(',');
            }
            line.append('"').append(fields[i]).append("\":");
            Object value = fields[i + 1];
            if (value instanceof String || value instanceof Enum) {
                quote(line, value.toString());
            } else {
                line.append(value);
            }
        }
        byte[] bytes = line.append("}\n").toString().getBytes(StandardCharsets.UTF_8);
        synchronized (OUT) {
            try {
                OUT.write(bytes);
                unflushed++;
                if (FLUSH_EACH) {
                    OUT.flush();
                }
            } catch (IOException e) {
                System.exit(3); // nobody listens any more
            }
        }
    }

    /** A message as a listener, or a poll, of consumer {@code name} was given it. */
    static void delivered(String name, MessageExt message, String broker, int others) {
        String id = Payload.idOf(message.getBody());
        emit("e", "msg", "c", name, "id", id == null ? "damaged" : id, "q", message.getQueueId(),
            "o", message.getQueueOffset(), "m", message.getMsgId(), "tag", String.valueOf(message.getTags()),
            "keys", String.valueOf(message.getKeys()), "r", message.getReconsumeTimes(), "x", others,
            "lq", String.valueOf(message.getProperty("INNER_MULTI_DISPATCH")), "lo", String.valueOf(message.getProperty("INNER_MULTI_QUEUE_OFFSET")),
            "b", broker, "t", message.getTopic(), "origin", String.valueOf(message.getProperty("ORIGIN_MESSAGE_ID")), "born", message.getBornTimestamp(), "store", message.getStoreTimestamp(),
            "now", System.currentTimeMillis());
    }

    static void flush() {
        synchronized (OUT) {
            if (unflushed == 0) {
                return;
            }
            unflushed = 0;
            try {
                OUT.flush();
            } catch (IOException e) {
                System.exit(3);
            }
        }
    }

    /** Flushes every 20 ms, so that many events share a write. */
    static void startFlusher() {
        Thread flusher = new Thread(() -> {
            while (true) {
                flush();
                try {
                    Thread.sleep(20);
                } catch (InterruptedException e) {
                    return;
                }
            }
        }, "event-flusher");
        flusher.setDaemon(true);
        flusher.start();
    }

    private static void quote(StringBuilder out, String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }
}
