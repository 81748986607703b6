import { type AddressInfo, createServer, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

interface ReceivedMail {
  from: string;
  to: string[];
  /** Headers and body as they came, dots unstuffed. */
  source: string;
  wasEncrypted: boolean;
}

/** What the server says to a command; undefined lets it say its usual yes. */
type Answer = (command: string) => string | undefined;
/** Says nothing at all. */
export const silence = '';
/** Says "more to come" again and again, and never the end. */
export const trickle = '250-';

export interface SmtpServer {
  port: number;
  received: ReceivedMail[];
  /** Every command line, of all connections; `<body>` stands for the end of a message. */
  commands: string[];
  /** Replaced by tests to refuse, stall or trickle. */
  answer: Answer;
  close(): Promise<void>;
}

export interface SmtpServerOptions {
  /** Offers STARTTLS, or with `fromStart` speaks TLS from the first byte. */
  tls?: { key: string; cert: string; fromStart?: boolean };
}

/** A real SMTP server on loopback (RFC 5321 as far as a sender needs it; AUTH PLAIN takes anything). */
export async function startSmtpServer({ tls }: SmtpServerOptions = {}): Promise<SmtpServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    if (tls?.fromStart)
      converse(state, { socket: new TLSSocket(socket, { isServer: true, ...tls }), tls, greet: true });
    else converse(state, { socket, tls, greet: true });
  });
  const state: SmtpServer = {
    port: 0,
    received: [],
    commands: [],
    answer: () => undefined,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  state.port = (server.address() as AddressInfo).port;
  return state;
}

interface Line {
  socket: Socket;
  tls: SmtpServerOptions['tls'];
  greet: boolean;
}

function converse(state: SmtpServer, { socket, tls, greet }: Line): void {
  const encrypted = socket instanceof TLSSocket;
  let mail: ReceivedMail = { from: '', to: [], source: '', wasEncrypted: encrypted };
  let body: string[] | undefined;
  let rest = '';

  function reply(command: string, usual: string): void {
    const text = state.answer(command) ?? usual;
    if (text === trickle) {
      const drip = setInterval(() => socket.write('250-wait\r\n'), 20);
      socket.on('close', () => clearInterval(drip));
    } else if (text !== silence && !socket.destroyed) socket.write(`${text}\r\n`);
  }

  function onCommand(line: string): void {
    state.commands.push(line);
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'EHLO') {
      const offers = ['PIPELINING', '8BITMIME', 'AUTH PLAIN', ...(tls && !encrypted ? ['STARTTLS'] : [])];
      reply(line, offers.map((offer, at) => `250${at === offers.length - 1 ? ' ' : '-'}${offer}`).join('\r\n'));
    } else if (verb === 'STAR' && tls) {
      socket.removeListener('data', onData);
      socket.write('220 go ahead\r\n');
      converse(state, { socket: new TLSSocket(socket, { isServer: true, ...tls }), tls, greet: false });
    } else if (verb === 'AUTH') reply(line, '235 welcome');
    else if (verb === 'MAIL') {
      mail = { from: /<(.*?)>/.exec(line)?.[1] ?? '', to: [], source: '', wasEncrypted: encrypted };
      reply(line, '250 ok');
    } else if (verb === 'RCPT') {
      if (state.answer(line) === undefined) mail.to.push(/<(.*?)>/.exec(line)?.[1] ?? '');
      reply(line, '250 ok');
    } else if (verb === 'DATA') {
      // A client that pipelines (RFC 2920) asks before it knows whether anybody may receive.
      const isOpen = mail.to.length > 0 && state.answer(line) === undefined;
      if (isOpen) body = [];
      reply(line, isOpen ? '354 end with a dot' : '554 no recipients');
    } else if (verb === 'QUIT') socket.end('221 bye\r\n');
    else reply(line, '250 ok');
  }

  function onBodyLine(lines: string[], line: string): void {
    if (line !== '.') {
      lines.push(line.startsWith('.') ? line.slice(1) : line);
      return;
    }
    body = undefined;
    state.commands.push('<body>');
    if (state.answer('<body>') === undefined) state.received.push({ ...mail, source: lines.join('\r\n') });
    reply('<body>', '250 taken');
  }

  function onData(chunk: Buffer): void {
    const lines = (rest + chunk.toString('utf8')).split('\r\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (body) onBodyLine(body, line);
      else onCommand(line);
    }
  }

  socket.on('error', () => {});
  socket.on('data', onData);
  if (greet) reply('<connect>', '220 test ready');
}
