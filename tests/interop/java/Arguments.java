import java.util.HashMap;
import java.util.Map;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.remoting.RPCHook;

/** The key=value words of one command line; %XX escapes stand for blanks and the like. */
final class Arguments {
    private final Map<String, String> values = new HashMap<>();

    Arguments(String[] words) throws Exception {
        for (int i = 1; i < words.length; i++) {
            int at = words[i].indexOf('=');
            values.put(words[i].substring(0, at), java.net.URLDecoder.decode(words[i].substring(at + 1), "UTF-8"));
        }
    }

    String text(String name) {
        String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException("missing argument " + name);
        }
        return value;
    }

    String text(String name, String otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    /** What signs the requests of a client with user=NAME:PASSWORD; null for another. */
    RPCHook signing() {
        String[] user = text("user", "").split(":", 2);
        return user.length < 2 ? null : new AclClientRPCHook(new SessionCredentials(user[0], user[1]));
    }

    int number(String name, int otherwise) {
        return values.containsKey(name) ? Integer.parseInt(values.get(name)) : otherwise;
    }
}
