import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.filter.expression.EvaluationContext;
import org.apache.rocketmq.filter.expression.Expression;
import org.apache.rocketmq.filter.parser.SelectorParser;

/**
 * RocketMQ's own SQL92 evaluator, for comparison. Lines of the input: "P name=value ..." are the properties of a message, "E expression" is judged over
 * all messages so far; names, values and expressions are URL-encoded. An expression is answered with a line of one letter a message, T for those that pass and
 * - for others, or with X where it is refused.
 */
public final class Filters {
    private Filters() {
    }

    public static void main(String[] args) throws Exception {
        List<Map<String, Object>> messages = new ArrayList<>();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            if (line.startsWith("P")) {
                messages.add(properties(line.substring(1).trim()));
            } else {
                System.out.println(judge(URLDecoder.decode(line.substring(2), "UTF-8"), messages));
            }
        }
        System.out.flush();
    }

    private static Map<String, Object> properties(String words) throws Exception {
        Map<String, Object> found = new HashMap<>();
        for (String word : words.isEmpty() ? new String[0] : words.split(" ")) {
            int at = word.indexOf('=');
            found.put(URLDecoder.decode(word.substring(0, at), "UTF-8"), URLDecoder.decode(word.substring(at + 1), "UTF-8"));
        }
        return found;
    }

    private static String judge(String text, List<Map<String, Object>> messages) {
        Expression expression;
        try {
            expression = SelectorParser.parse(text);
        } catch (Exception refused) {
            return "X";
        }
        StringBuilder answer = new StringBuilder();
        for (Map<String, Object> message : messages) {
            answer.append(passes(expression, message) ? 'T' : '-');
        }
        return answer.toString();
    }

    /** As RocketMQ's broker: only true passes, and what can't be evaluated does not. */
    private static boolean passes(Expression expression, Map<String, Object> message) {
        try {
            return Boolean.TRUE.equals(expression.evaluate(new EvaluationContext() {
                @Override
                public Object get(String name) {
                    return message.get(name);
                }

                @Override
                public Map<String, Object> keyValues() {
                    return message;
                }
            }));
        } catch (Throwable failed) {
            return false;
        }
    }
}
