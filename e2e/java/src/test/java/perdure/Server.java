package perdure;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;

/** Starts the real perdure binary on a fresh folder. $PERDURE_BINARY names it. */
final class Server implements AutoCloseable {
  final String address;
  private final Process process;
  private final Path folder;

  Server() throws IOException {
    folder = Files.createTempDirectory("perdure-e2e-");
    process =
        new ProcessBuilder(
                System.getenv("PERDURE_BINARY"), "server", "--data", folder.resolve("data").toString(),
                "--port", "0", "--http-port", "-1", "--metrics-port", "-1", "--headless")
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    BufferedReader lines = process.inputReader();
    String found = null;
    for (String line; (line = lines.readLine()) != null; ) {
      String[] words = line.trim().split("\\s+");
      if (words.length == 2 && words[0].equals("gRPC")) found = words[1];
      if (line.startsWith("Ready")) break;
    }
    if (found == null) throw new IOException("the server ended before it was ready");
    address = found;
    Thread drain = new Thread(() -> lines.lines().forEach(line -> {}));
    drain.setDaemon(true);
    drain.start();
  }

  @Override
  public void close() throws IOException {
    process.destroyForcibly().onExit().join();
    try (var files = Files.walk(folder)) {
      files.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
    }
  }
}
