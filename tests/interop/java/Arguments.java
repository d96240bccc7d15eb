import java.util.HashMap;
import java.util.Map;

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

    int number(String name, int otherwise) {
        return values.containsKey(name) ? Integer.parseInt(values.get(name)) : otherwise;
    }
}
