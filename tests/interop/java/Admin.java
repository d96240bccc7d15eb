import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * RocketMQ's own mqadmin, one command a line, without a JVM start for each. After the output of a command comes a line
 * that consists of the first argument of this program.
 */
public final class Admin {
    private Admin() {
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = System.out;
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ByteArrayOutputStream text = new ByteArrayOutputStream();
            PrintStream capture = new PrintStream(text, true, "UTF-8");
            System.setOut(capture);
            System.setErr(capture);
            try {
                MQAdminStartup.main0(line.trim().split(" +"), null);
            } catch (Throwable e) {
                e.printStackTrace(capture);
            }
            capture.flush();
            out.print(text.toString("UTF-8"));
            out.println();
            out.println(args[0]);
            out.flush();
        }
        Runtime.getRuntime().halt(0);
    }
}
