import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands between a client and a server, and fails in the ways that networks do. */
export interface TcpProxy {
  /** The server's URL, by way of the proxy. */
  readonly url: string;
  /** Ends every connection and refuses new ones. */
  goDown(): Promise<void>;
  comeUp(): Promise<void>;
  /** From now on nothing passes, on connections old and new, and nobody is told. */
  freeze(): void;
  /** New connections pass again; those that were frozen stay so. */
  thaw(): void;
  /** Takes new connections and closes them at once, like a balancer without a server behind it. */
  hangUp(value: boolean): void;
  close(): Promise<void>;
}

export async function createTcpProxy(serverUrl: string): Promise<TcpProxy> {
  const target = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let mode: 'pass' | 'frozen' | 'hangingUp' = 'pass';
  const server = createServer({ pauseOnConnect: true }, (near) => {
    if (mode === 'hangingUp') {
      near.resume().end();
      return;
    }
    sockets.add(near);
    near.on('error', () => undefined).on('close', () => sockets.delete(near));
    if (mode === 'frozen') return;
    const far = connect(Number(target.port || 5432), target.hostname);
    sockets.add(far);
    far.on('error', () => near.destroy()).on('close', () => sockets.delete(far));
    near.pipe(far).pipe(near);
  });
  const destroyAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  await listenOn(0);
  const { port } = server.address() as AddressInfo;
  const url = new URL(serverUrl);
  url.host = `127.0.0.1:${port}`;

  async function listenOn(wanted: number): Promise<void> {
    server.listen(wanted, '127.0.0.1');
    await once(server, 'listening');
  }
  async function goDown(): Promise<void> {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    destroyAll();
    await closed;
  }
  return {
    url: url.href,
    goDown,
    comeUp: () => listenOn(port),
    freeze() {
      mode = 'frozen';
      for (const socket of sockets) socket.unpipe().pause();
    },
    thaw() {
      mode = 'pass';
    },
    hangUp(value) {
      mode = value ? 'hangingUp' : 'pass';
      if (value) destroyAll();
    },
    close: goDown,
  };
}
