// Starts the real perdure binary on a fresh folder. $PERDURE_BINARY names it.
import { ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export class Server {
  address = '';
  private process?: ChildProcess;
  private readonly folder = mkdtempSync(join(tmpdir(), 'perdure-e2e-'));

  static async start(): Promise<Server> {
    const server = new Server();
    await server.run('0');
    return server;
  }

  private run(port: string): Promise<void> {
    const binary = process.env.PERDURE_BINARY;
    if (!binary) throw new Error('set PERDURE_BINARY to the perdure executable');
    const child = spawn(
      binary,
      ['server', '--data', join(this.folder, 'data'), '--port', port, '--http-port', '-1', '--metrics-port', '-1', '--headless'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    this.process = child;
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the server ended with ${code} before it was ready`)));
      createInterface({ input: child.stdout! }).on('line', (line) => {
        const [label, value] = line.trim().split(/\s+/);
        if (label === 'gRPC') this.address = value;
        if (label?.startsWith('Ready')) resolve();
      });
    });
  }

  async stop(): Promise<void> {
    const child = this.process!;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
