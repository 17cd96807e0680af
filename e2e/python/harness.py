"""Starts the real perdure binary on a fresh folder. $PERDURE_BINARY names it."""

import os
import shutil
import subprocess
import tempfile
import threading


class Server:
    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="perdure-e2e-")
        flags = ["--data", os.path.join(self.folder, "data"), "--port", "0", "--http-port", "-1", "--metrics-port", "-1", "--headless"]
        self.process = subprocess.Popen([os.environ["PERDURE_BINARY"], "server", *flags], stdout=subprocess.PIPE, text=True)
        self.address = ""
        for line in self.process.stdout:
            words = line.split()
            if len(words) == 2 and words[0] == "gRPC":
                self.address = words[1]
            if line.startswith("Ready"):
                break
        else:
            raise RuntimeError(f"the server ended with {self.process.wait()} before it was ready")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
