import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.remoting.RPCHook;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * RocketMQ's own mqadmin, one command a line, without a JVM start for each; an empty line is no command. After the output of a command comes a line
 * that consists of the first argument of this program; requests are signed with a user's name and password if they are the others. "call:NAME -n NAMESRV ARGUMENTS" is no command, but one of Calls.
 */
public final class Admin {
    private static final String CALL = "call:";

    private Admin() {
    }

    /**
     * The client's thread for events of connections sleeps for up to 3 s in which it does not see that it is to end, and each command waits for it. It is woken only
     * while `commands` waits for its end: it asks servers, too, and a request that is interrupted closes the connection under the others. That it was seen asleep a
     * moment before does not say that it still is.
     */
    private static void wakeEventThreads(Thread commands) {
        while (true) {
            if (Arrays.stream(commands.getStackTrace()).anyMatch(frame -> frame.getClassName().endsWith(".ServiceThread") && frame.getMethodName().equals("shutdown"))) {
                for (Thread thread : Thread.getAllStackTraces().keySet()) {
                    if (thread.getName().equals("NettyEventExecutor")) {
                        thread.interrupt();
                    }
                }
            }
            try {
                Thread.sleep(50);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    public static void main(String[] args) throws Exception {
        Thread commands = Thread.currentThread();
        Thread waker = new Thread(() -> wakeEventThreads(commands), "waker");
        waker.setDaemon(true);
        waker.start();
        PrintStream out = System.out;
        RPCHook hook = args.length < 3 ? null : new AclClientRPCHook(new SessionCredentials(args[1], args[2]));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ByteArrayOutputStream text = new ByteArrayOutputStream();
            PrintStream capture = new PrintStream(text, true, "UTF-8");
            System.setOut(capture);
            System.setErr(capture);
            try {
                String[] words = line.isBlank() ? new String[0] : line.trim().split(" +");
                if (words.length > 0 && words[0].startsWith(CALL)) {
                    capture.println(Calls.run(words[0].substring(CALL.length()), words[2], Arrays.copyOfRange(words, 3, words.length)));
                } else {
                    MQAdminStartup.main0(words, hook);
                }
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
